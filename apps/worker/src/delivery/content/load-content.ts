import { Injectable } from '@nestjs/common';
import {
  type DeliveryContext,
  SharedContentsStore,
  type StoredSharedContent,
  type TemplateHead,
  TemplatesStore,
  type TemplateVersion,
  type VersionKey,
  versionKey,
} from '#database';
import { inlineContentFor, missingTemplate, StopPipeline, templateFor } from '#domain';
import { SharedPayload } from '#templates';
import type { Claimed, LoadedContent } from '../pipeline-context.js';
import { ReadCache } from './read-cache.js';

/** Memory for template versions with what they include; a version never changes. */
const CACHED_VERSION_BYTES = 64 * 1024 * 1024;
/** Of one version, besides its text. */
const VERSION_BYTES = 1_024;

/** Memory for shared contents. One takes up to four bytes a character: as text, and as UTF-8 for the render threads. */
const CACHED_SHARED_BYTES = 64 * 1024 * 1024;
const BYTES_PER_CHARACTER = 4;

interface SharedKey {
  tenantId: string;
  id: string;
}

interface Shared {
  content: Record<string, unknown> | null;
  payload: SharedPayload | null;
  bytes: number;
}

const NO_TEMPLATE = { includes: null, templateVersion: null };

/** Loads the content of a notification: its own, that of its bulk send, or the template in the best locale. */
@Injectable()
export class LoadContent {
  private readonly versions: ReadCache<VersionKey, TemplateVersion>;
  private readonly shared: ReadCache<SharedKey, Shared>;

  constructor(templates: TemplatesStore, sharedContents: SharedContentsStore) {
    this.versions = new ReadCache(
      {
        maxSize: CACHED_VERSION_BYTES,
        sizeOf: (version) => VERSION_BYTES + BYTES_PER_CHARACTER * JSON.stringify(version).length,
      },
      (key) => templates.version(key),
    );
    this.shared = new ReadCache(
      { maxSize: CACHED_SHARED_BYTES, sizeOf: (shared) => shared.bytes },
      async ({ tenantId, id }) => {
        const stored = await sharedContents.get(tenantId, id);
        return stored && toShared(stored);
      },
    );
  }

  /** Throws StopPipeline if the content was deleted. */
  async run({ delivery, channel }: Claimed, context: DeliveryContext): Promise<LoadedContent> {
    const { notification } = context;
    const shared = await this.sharedOf(context);
    const sharedPayload = shared?.payload ?? null;
    // Webhooks have no template: the event is the content.
    if (notification.endpointId)
      return { ...NO_TEMPLATE, content: { body: JSON.stringify(notification.payload) }, sharedPayload };
    const inline = notification.content ?? shared?.content;
    if (inline) return { ...NO_TEMPLATE, content: inlineContentFor(channel.id, inline), sharedPayload };
    const found = await this.fromTemplate(delivery.tenantId, context, context.templateHeads);
    if (found) return { ...found, sharedPayload };
    throw new StopPipeline(missingTemplate(channel, notification.templateId!));
  }

  /** The current version in the best locale; null if there is no template. */
  async fromTemplate(
    tenantId: string,
    { recipient, tenant }: DeliveryContext,
    heads: readonly TemplateHead[],
  ): Promise<Omit<LoadedContent, 'sharedPayload'> | null> {
    const head = templateFor(heads, recipient?.locale ?? null, tenant.settings.locale ?? null);
    if (!head) return null;
    const key = versionKey(tenantId, head);
    const version = await this.versions.get(`${key.tenantId} ${key.templateId} ${key.version}`, key);
    return version && { ...version, templateVersion: head.version };
  }

  private async sharedOf({ notification }: DeliveryContext): Promise<Shared | null> {
    const { tenantId, sharedContentId: id } = notification;
    if (id === null) return null;
    const found = await this.shared.get(`${tenantId} ${id}`, { tenantId, id });
    if (found) return found;
    throw new StopPipeline({
      kind: 'failed',
      reason: 'render_error',
      rule: 'template',
      code: 'unknown_content',
      detail: 'the shared content of this bulk send was deleted',
    });
  }
}

function toShared({ content, payload }: StoredSharedContent): Shared {
  const characters = (payload?.length ?? 0) + (content ? JSON.stringify(content).length : 0);
  return {
    content,
    payload: payload === null ? null : new SharedPayload(payload),
    bytes: 1 + BYTES_PER_CHARACTER * characters,
  };
}
