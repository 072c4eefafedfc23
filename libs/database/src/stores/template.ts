import type { ChannelId } from '#domain';

export type TemplateContent = Record<string, unknown>;

export interface Template {
  id: string;
  key: string;
  channel: ChannelId;
  locale: string;
  version: number;
  content: TemplateContent;
  samplePayload: Record<string, unknown> | null;
  createdAt: Date;
  updatedAt: Date;
}

/** A template without its content: the result of looking up a key or id for a send. */
export interface TemplateHead {
  id: string;
  locale: string;
  version: number;
}

export interface TemplateSelector {
  /** The id or the key of a template. */
  idOrKey: string;
  channel?: ChannelId | undefined;
  locale?: string | undefined;
}
