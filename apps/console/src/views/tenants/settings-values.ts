import type { TenantsUpdateData } from '#client';
import { parseObject, toJsonText } from '../../page/json-field';
import type { OneTenant } from './one-tenant';

type Settings = OneTenant['settings'];
type Name = keyof Settings;
type Patch = NonNullable<TenantsUpdateData['body']>;

export interface SettingField {
  name: Name;
  label: string;
  description: string;
  /** `list`: texts; `numbers`: a list of numbers; `json`: an object; `rows`: a list of objects as JSON. */
  kind: 'text' | 'number' | 'list' | 'numbers' | 'json' | 'rows';
  placeholder?: string;
}

export interface SettingGroup {
  title: string;
  fields: readonly SettingField[];
}

export const settingGroups: readonly SettingGroup[] = [
  {
    title: 'Recipients',
    fields: [
      {
        name: 'timezone',
        label: 'Time zone',
        description: 'Of recipients without one.',
        kind: 'text',
        placeholder: 'UTC',
      },
      { name: 'locale', label: 'Locale', description: 'Of recipients without one.', kind: 'text', placeholder: 'en' },
      { name: 'brand', label: 'Brand', description: 'Of the pages that recipients see: name and color.', kind: 'json' },
      {
        name: 'allowed_origins',
        label: 'Allowed origins',
        description: 'Pages that may call the inbox with a recipient token.',
        kind: 'list',
        placeholder: 'https://app.example.com',
      },
    ],
  },
  {
    title: 'Quotas and limits',
    fields: [
      { name: 'deliveries_per_day', label: 'Deliveries a day', description: 'Further ones wait.', kind: 'number' },
      { name: 'deliveries_per_month', label: 'Deliveries a month', description: 'Further ones wait.', kind: 'number' },
      { name: 'requests_per_minute', label: 'Requests a minute', description: 'Of each API key.', kind: 'number' },
      {
        name: 'recipient_requests_per_minute',
        label: 'Requests a minute of a recipient',
        description: 'With recipient tokens.',
        kind: 'number',
      },
      { name: 'sms_max_segments', label: 'SMS segments', description: 'Longer messages are refused.', kind: 'number' },
      { name: 'retention_days', label: 'Retention in days', description: 'From 3 to 3,650.', kind: 'number' },
      {
        name: 'retry_schedule_seconds',
        label: 'Retry schedule',
        description: 'Seconds between the attempts.',
        kind: 'numbers',
        placeholder: '30',
      },
      {
        name: 'caps',
        label: 'Caps',
        description: 'For each recipient: [{"channel": "email", "limit": 2, "per": "day", "on_excess": "hold"}]',
        kind: 'rows',
      },
      {
        name: 'recipient_limits',
        label: 'Limits of a recipient',
        description: 'By channel: {"sms": {"limit": 5, "window_seconds": 3600}}',
        kind: 'json',
      },
    ],
  },
  {
    title: 'Quiet hours',
    fields: [
      {
        name: 'quiet_hours',
        label: 'Quiet hours',
        description:
          'Of recipients without hours of their own: {"windows": [{"days": ["mon"], "from": "22:00", "to": "07:00"}]}',
        kind: 'json',
      },
      {
        name: 'quiet_hours_floor',
        label: 'Quiet hours for everyone',
        description: 'By channel, in addition to all others: {"sms": {"windows": […]}}',
        kind: 'json',
      },
      {
        name: 'quiet_hours_spread_seconds',
        label: 'Spread after quiet hours',
        description: 'Seconds over which held deliveries are sent.',
        kind: 'number',
      },
    ],
  },
];

const fields = settingGroups.flatMap((group) => group.fields);

/** The value of a field: a text, a number or a list of texts. An empty one is the default. */
export type FieldValue = string | number | string[];
export type FieldValues = Partial<Record<Name, FieldValue>>;

export function fieldValues(settings: Settings): FieldValues {
  return Object.fromEntries(fields.map((field) => [field.name, shown(field, settings[field.name])]));
}

function shown({ kind }: SettingField, value: unknown): FieldValue {
  if (kind === 'list' || kind === 'numbers') return Array.isArray(value) ? value.map(String) : [];
  if (kind === 'json' || kind === 'rows') return toJsonText(value);
  return typeof value === 'number' || typeof value === 'string' ? value : '';
}

/** The changed settings; null removes one. Throws for a text that is not JSON. The API checks the values. */
export function changedSettings(before: FieldValues, after: FieldValues): Patch['settings'] {
  const changed = fields.filter(({ name }) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return Object.fromEntries(changed.map((field) => [field.name, sent(field, after[field.name] ?? '')]));
}

function sent({ kind, label }: SettingField, value: FieldValue): unknown {
  if (value.toString().trim() === '') return null;
  if (kind === 'numbers') return (value as string[]).map(Number);
  if (kind === 'rows') return JSON.parse(value as string);
  if (kind !== 'json') return value;
  const parsed = parseObject(value as string);
  if (typeof parsed === 'string') throw new Error(`${label} ${parsed}`);
  return parsed;
}
