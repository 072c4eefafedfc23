import type { Template, TemplateDraft } from '#client';
import { parseObject, toJsonText } from '../../page/json-field';
import { type Channel, fieldsOf, type Kind } from './template-fields';

/** The content of the editor. JSON is text until it is sent, because it may be unfinished. */
export interface Draft {
  /** By the name of the field; empty texts are left out. */
  texts: Record<string, string>;
  layout: string;
  schema: string;
  payload: string;
}

export interface TemplatePlace {
  key: string;
  channel: Channel;
  locale: string;
  kind: Kind;
}

type Stored = Pick<Template, 'content' | 'layout' | 'payload_schema' | 'sample_payload'>;

export function toDraft({ channel, kind }: TemplatePlace, stored: Stored): Draft {
  const texts = fieldsOf(channel, kind).map(({ name, kind: of }): [string, string] => {
    const value = stored.content[name];
    return [name, of === 'json' ? toJsonText(value) : String(value ?? '')];
  });
  return {
    texts: Object.fromEntries(texts),
    layout: stored.layout ?? '',
    schema: toJsonText(stored.payload_schema),
    payload: toJsonText(stored.sample_payload ?? {}),
  };
}

export interface DraftBody {
  content: Record<string, unknown>;
  layout: string | null;
  payload_schema: Record<string, unknown> | null;
  sample_payload: Record<string, unknown>;
}

/** The body of a request, and the faults of its JSON by pointer. */
export function toBody(place: TemplatePlace, draft: Draft): { body: DraftBody; faults: Record<string, string> } {
  const faults: Record<string, string> = {};
  const content: Record<string, unknown> = {};
  for (const { name, kind } of fieldsOf(place.channel, place.kind)) {
    const text = draft.texts[name] ?? '';
    if (text.trim() === '') continue;
    content[name] = kind === 'json' ? jsonIn(text, `/content/${name}`, faults) : text;
  }
  const schema = objectIn(draft.schema, '/payload_schema', faults);
  const isTemplate = place.kind === 'template';
  return {
    body: {
      content,
      layout: (isTemplate && draft.layout) || null,
      payload_schema: isTemplate && draft.schema.trim() ? schema : null,
      sample_payload: objectIn(draft.payload, '/payload', faults),
    },
    faults,
  };
}

export function toPreviewBody({ key, channel, locale, kind }: TemplatePlace, body: DraftBody): TemplateDraft {
  const { sample_payload: payload, ...version } = body;
  return { ...(key && { key }), channel, locale, kind, ...version, payload };
}

/** The sources of the draft, which may use variables. */
export function sourcesOf(draft: Draft): string[] {
  return Object.values(draft.texts).filter((text) => text.includes('{{'));
}

function jsonIn(text: string, pointer: string, faults: Record<string, string>): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    faults[pointer] = `is not JSON: ${(error as Error).message}`;
    return undefined;
  }
}

function objectIn(text: string, pointer: string, faults: Record<string, string>): Record<string, unknown> {
  const parsed = parseObject(text);
  if (typeof parsed !== 'string') return parsed;
  faults[pointer] = parsed;
  return {};
}
