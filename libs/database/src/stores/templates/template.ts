import { type ChannelId, type Includes, type PartialUses, PLATFORM_TENANT_ID, type TemplateKind } from '#domain';

export type TemplateContent = Record<string, unknown>;

export interface Template extends TemplatePlace {
  id: string;
  /** Whether it is one of the platform's, which all tenants see. */
  isPlatform: boolean;
  version: number;
  content: TemplateContent;
  samplePayload: Record<string, unknown> | null;
  payloadSchema: Record<string, unknown> | null;
  /** The key of the layout. */
  layout: string | null;
  includes: Includes | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What cannot change. */
export interface TemplatePlace {
  key: string;
  channel: ChannelId;
  locale: string;
  kind: TemplateKind;
}

/** What a new version has of its own; what it includes is read when it is written. */
export interface NewVersion extends Pick<Template, 'content' | 'samplePayload' | 'payloadSchema' | 'layout'> {
  uses: PartialUses;
}

/** A template without its content: the result of looking up a key or id for a send. */
export interface TemplateHead {
  id: string;
  locale: string;
  version: number;
  /** Set if it is one of the platform's. */
  platform?: boolean;
}

export interface VersionKey {
  tenantId: string;
  templateId: string;
  version: number;
}

/** The key of the current version of a template that a send of the tenant uses. */
export function versionKey(tenantId: string, { id, version, platform }: TemplateHead): VersionKey {
  return { tenantId: platform ? PLATFORM_TENANT_ID : tenantId, templateId: id, version };
}

/** A version as a send uses it. */
export interface TemplateVersion {
  content: TemplateContent;
  includes: Includes | null;
}

export interface TemplateSelector {
  /** The id or the key of a template. */
  idOrKey: string;
  channel?: ChannelId | undefined;
  locale?: string | undefined;
}
