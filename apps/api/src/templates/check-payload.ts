import { Injectable } from '@nestjs/common';
import { KnownTemplates } from '#database';
import type { ChannelId, FieldError } from '#domain';
import { TemplateRenderer } from '#templates';

type Payload = Record<string, unknown> | undefined;

/** The payload schemas of one send, as JSON: of every channel, and of every locale of its template. */
export type PayloadSchemas = readonly string[];

/**
 * Checks payloads against the schemas of their template. The locale of the recipient is not known when a send is
 * accepted, so a payload must match the schema of every locale that has one.
 */
@Injectable()
export class CheckPayload {
  constructor(
    private readonly known: KnownTemplates,
    private readonly renderer: TemplateRenderer,
  ) {}

  /** The schemas of a template that exists on these channels. */
  async schemasOf(tenantId: string, templateId: string, channels: readonly ChannelId[]): Promise<PayloadSchemas> {
    const found = await Promise.all(channels.map((channel) => this.known.schemas(tenantId, templateId, channel)));
    return [...new Set(found.flatMap((schemas) => schemas ?? []))];
  }

  /**
   * Returns every fault of a payload, which overrides the `shared` payload of a bulk send. Throws `unavailable` when
   * too many large checks wait for a thread.
   */
  async run(tenantId: string, schemas: PayloadSchemas, payload: Payload, shared?: Payload): Promise<FieldError[]> {
    const merged = shared ? { ...shared, ...payload } : (payload ?? {});
    const faults = await this.renderer.payloads.faults(tenantId, schemas, merged);
    return faults.map((fault) => ({ ...fault, pointer: `/payload${fault.pointer}` }));
  }

  /** Checks that the shared payload of a bulk send is small enough to be checked with every recipient. */
  sharedErrors(schemas: PayloadSchemas, shared: Payload): FieldError[] {
    if (schemas.length === 0 || !shared || this.renderer.payloads.isShareable(shared)) return [];
    const message =
      'has more than 2,000 values or 64 kB of text. The template has a payload schema, by which the payload of every ' +
      'recipient is checked together with it';
    return [{ pointer: '/payload', code: 'too_large', message }];
  }
}
