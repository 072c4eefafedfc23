import { Injectable } from '@nestjs/common';
import { type Template, TemplatesStore } from '#database';
import {
  type ChannelId,
  channelOf,
  DomainError,
  type FieldError,
  localeChain,
  MOST_SMS_SEGMENTS,
  messageFaultOf,
  notFound,
  PLATFORM_TENANT_ID,
  smsSegments,
  validationFailed,
} from '#domain';
import { Composed, TemplateFault, TemplateRenderer } from '#templates';
import type { Caller } from '../access/access.js';
import { CheckContent } from './check-content.js';
import type { DraftBody } from './template.schema.js';

export interface PreviewRequest {
  idOrKey: string;
  channel: ChannelId | undefined;
  /** Takes this locale only. */
  exactLocale: string | undefined;
  /** Takes the template that a send to a recipient with this locale takes. */
  recipientLocale: string | undefined;
  payload: Record<string, unknown>;
}

type Renderable = Pick<Template, 'channel' | 'locale' | 'kind' | 'content' | 'includes'>;

/** Renders a template as a send would, without sending. */
@Injectable()
export class PreviewTemplate {
  constructor(
    private readonly templates: TemplatesStore,
    private readonly contentChecks: CheckContent,
    private readonly renderer: TemplateRenderer,
  ) {}

  /** Throws `not_found`, `conflict`, and `render_error` with the field that cannot be rendered. */
  async run(caller: Caller, request: PreviewRequest) {
    const template = await this.find(caller, request);
    const { channel, locale, version, samplePayload } = template;
    const payload = Object.keys(request.payload).length > 0 ? request.payload : (samplePayload ?? {});
    return { version, ...(await this.render(caller.tenantId, { ...template, channel, locale }, payload)) };
  }

  /** Renders what is not stored. Throws `validation_failed` with all errors of the sources, and `render_error`. */
  async draft(owner: string, draft: DraftBody, defaultLocale: string | null) {
    const { key = '', channel, locale, kind, content, layout = null, payload } = draft;
    const { errors, uses } = await this.contentChecks.stored(owner, draft, content);
    const including = { key, channel, locale, kind, layout, uses };
    const { includes, faults } = await this.templates.included(owner, including, { defaultLocale });
    const schemaErrors = this.schemaErrors(draft);
    if (errors.length + faults.length + schemaErrors.length > 0)
      throw validationFailed([...errors, ...faults, ...schemaErrors]);
    const rendered = await this.render(owner, { channel, locale, kind, content, includes }, payload);
    return { ...rendered, payload_errors: await this.payloadErrors(owner, draft) };
  }

  private schemaErrors({ payload_schema: schema }: DraftBody): FieldError[] {
    if (!schema) return [];
    const faults = this.renderer.payloads.schemaFaults(schema);
    const code = 'payload_schema';
    return faults.map(({ pointer, message }) => ({ pointer: `/payload_schema${pointer}`, code, message }));
  }

  private async payloadErrors(owner: string, { payload_schema: schema, payload }: DraftBody): Promise<FieldError[]> {
    if (!schema) return [];
    const faults = await this.renderer.payloads.faults(owner, [JSON.stringify(schema)], payload);
    return faults.map((fault) => ({ ...fault, pointer: `/payload${fault.pointer}` }));
  }

  private async render(owner: string, version: Renderable, payload: Record<string, unknown>) {
    const { channel, locale } = version;
    try {
      const message = await this.renderer.render(channelOf(channel), composedOf(version), [payload], owner);
      // The limit of every tenant. Checked first because counting the segments of a longer text takes too long.
      const tooLong = messageFaultOf(channelOf(channel), message, { smsMaxSegments: MOST_SMS_SEGMENTS });
      if (tooLong) throw new TemplateFault(tooLong);
      const sms = channel === 'sms' ? { sms: smsSegments(String(message['text'])) } : {};
      return { channel, locale, message, ...sms };
    } catch (error) {
      throw error instanceof TemplateFault ? renderError(error) : error;
    }
  }

  /** As a send does: the templates of the tenant in any locale win over those of the platform. */
  private async find(caller: Caller, request: PreviewRequest): Promise<Template> {
    for (const owner of [caller.tenantId, PLATFORM_TENANT_ID]) {
      const found = await this.findOf(owner, caller, request);
      if (found) return found;
    }
    throw notFound('template', request.idOrKey);
  }

  private async findOf(owner: string, { settings }: Caller, request: PreviewRequest): Promise<Template | null> {
    const { idOrKey, channel, exactLocale, recipientLocale } = request;
    const locales = exactLocale ? [exactLocale] : localeChain(recipientLocale ?? null, settings.locale ?? null);
    for (const locale of locales) {
      const found = await this.templates.get(owner, { idOrKey, channel, locale });
      if (found) return found;
    }
    return await this.templates.get(owner, { idOrKey, channel });
  }
}

/** A layout is shown around a placeholder. */
function composedOf({ kind, content, includes }: Renderable): Composed {
  if (kind !== 'layout') return new Composed(content, includes);
  const sources = content as Record<string, string>;
  const placeholders = Object.fromEntries(Object.keys(sources).map((field) => [field, '[content]']));
  const layout = { id: '', locale: '', version: 0, content: sources };
  return new Composed(placeholders, { layout, partials: includes?.partials ?? {} });
}

function renderError(error: TemplateFault): DomainError {
  return new DomainError('render_error', error.message, { errors: faultErrors(error) });
}

/** The renderer's messages begin with the pointer of the field, as `/subject: …`. */
export function faultErrors(error: TemplateFault): FieldError[] {
  const [, pointer = '', message = error.message] = /^(\/[^:]*): (.*)$/s.exec(error.message) ?? [];
  return [{ pointer: `/content${pointer}`, code: 'render_error', message }];
}
