// The rules that the form can show as fields. A rule with other parts is edited as text; the API checks every rule.

export type Frequency = 'MINUTELY' | 'HOURLY' | 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';

export interface SimpleRule {
  frequency: Frequency;
  interval: number;
  /** `MO`, of a weekly rule. */
  days: string[];
  /** Of a monthly rule: 1 to 31, or -1 for the last day. */
  dayOfMonth: number | null;
  /** `09:00`; empty: the time of the start. */
  time: string;
  end: { kind: 'never' } | { kind: 'count'; count: number } | { kind: 'until'; date: string };
}

export const FREQUENCIES: readonly { value: Frequency; label: string; unit: string }[] = [
  { value: 'MINUTELY', label: 'by the minute', unit: 'minute' },
  { value: 'HOURLY', label: 'hourly', unit: 'hour' },
  { value: 'DAILY', label: 'daily', unit: 'day' },
  { value: 'WEEKLY', label: 'weekly', unit: 'week' },
  { value: 'MONTHLY', label: 'monthly', unit: 'month' },
  { value: 'YEARLY', label: 'yearly', unit: 'year' },
];

export const DAYS = [
  { value: 'MO', label: 'Mon' },
  { value: 'TU', label: 'Tue' },
  { value: 'WE', label: 'Wed' },
  { value: 'TH', label: 'Thu' },
  { value: 'FR', label: 'Fri' },
  { value: 'SA', label: 'Sat' },
  { value: 'SU', label: 'Sun' },
] as const;

const KNOWN = ['FREQ', 'INTERVAL', 'BYDAY', 'BYMONTHDAY', 'BYHOUR', 'BYMINUTE', 'BYSECOND', 'COUNT', 'UNTIL'];

/** Null if the rule has parts that the fields cannot show. */
export function readSimpleRule(rrule: string): SimpleRule | null {
  const parts = new Map<string, string>();
  for (const part of rrule.replace(/^RRULE:/i, '').split(';')) {
    const [name = '', value = ''] = part.split('=');
    if (!KNOWN.includes(name) || value === '') return null;
    parts.set(name, value);
  }
  const frequency = FREQUENCIES.find(({ value }) => value === parts.get('FREQ'))?.value;
  const days = parts.get('BYDAY')?.split(',') ?? [];
  const dayOfMonth = parts.get('BYMONTHDAY');
  const time = timeOf(parts);
  if (!frequency || time === null || !areShown(frequency, days, dayOfMonth)) return null;
  if ((time !== '' && !takesTime(frequency)) || !isWholeDay(parts.get('UNTIL'))) return null;
  return {
    frequency,
    interval: Number(parts.get('INTERVAL') ?? 1),
    days,
    dayOfMonth: dayOfMonth === undefined ? null : Number(dayOfMonth),
    time,
    end: endOf(parts),
  };
}

function areShown(frequency: Frequency, days: string[], dayOfMonth: string | undefined): boolean {
  if (days.some((day) => !DAYS.some(({ value }) => value === day))) return false;
  if (days.length > 0 && frequency !== 'WEEKLY') return false;
  return dayOfMonth === undefined || (frequency === 'MONTHLY' && /^-?\d+$/.test(dayOfMonth));
}

/** The fields have the last day only. */
function isWholeDay(until: string | undefined): boolean {
  return until === undefined || /^\d{8}(T235959)?$/.test(until);
}

/** Null for several hours or minutes. */
function timeOf(parts: Map<string, string>): string | null {
  const [hour, minute, second] = [parts.get('BYHOUR'), parts.get('BYMINUTE'), parts.get('BYSECOND')];
  if (second !== undefined && second !== '0') return null;
  if (hour === undefined && minute === undefined) return '';
  const isOne = /^\d{1,2}$/;
  if (!hour || !minute || !isOne.test(hour) || !isOne.test(minute)) return null;
  return `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
}

function endOf(parts: Map<string, string>): SimpleRule['end'] {
  const [count, until] = [parts.get('COUNT'), parts.get('UNTIL')];
  if (count) return { kind: 'count', count: Number(count) };
  const date = /^(\d{4})(\d\d)(\d\d)/.exec(until ?? '');
  return date ? { kind: 'until', date: date.slice(1).join('-') } : { kind: 'never' };
}

export function writeRule({ frequency, interval, days, dayOfMonth, time, end }: SimpleRule): string {
  const [hour, minute] = time.split(':');
  return [
    `FREQ=${frequency}`,
    interval > 1 && `INTERVAL=${interval}`,
    frequency === 'WEEKLY' && days.length > 0 && `BYDAY=${DAYS.map((d) => d.value).filter((d) => days.includes(d))}`,
    frequency === 'MONTHLY' && dayOfMonth !== null && `BYMONTHDAY=${dayOfMonth}`,
    takesTime(frequency) && time && `BYHOUR=${Number(hour)};BYMINUTE=${Number(minute)}`,
    end.kind === 'count' && `COUNT=${end.count}`,
    end.kind === 'until' && end.date && `UNTIL=${end.date.replaceAll('-', '')}T235959`,
  ]
    .filter((part) => typeof part === 'string' && part !== '')
    .join(';');
}

export function takesTime(frequency: Frequency): boolean {
  return frequency !== 'MINUTELY' && frequency !== 'HOURLY';
}

/** `each week on Mon, Thu at 09:00`, or the rule itself. */
export function ruleInWords(rrule: string, startsAtLocal?: string): string {
  const rule = readSimpleRule(rrule);
  if (!rule) return rrule;
  const unit = FREQUENCIES.find(({ value }) => value === rule.frequency)?.unit;
  const days = DAYS.filter(({ value }) => rule.days.includes(value)).map(({ label }) => label);
  const time = rule.time || startsAtLocal?.slice(11, 16);
  return [
    rule.interval > 1 ? `every ${rule.interval} ${unit}s` : `each ${unit}`,
    days.length > 0 && `on ${days.join(', ')}`,
    rule.dayOfMonth !== null && (rule.dayOfMonth === -1 ? 'on the last day' : `on day ${rule.dayOfMonth}`),
    takesTime(rule.frequency) && time && `at ${time}`,
    rule.end.kind === 'count' && `${rule.end.count} times`,
    rule.end.kind === 'until' && `until ${rule.end.date}`,
  ]
    .filter((part) => typeof part === 'string')
    .join(' ');
}
