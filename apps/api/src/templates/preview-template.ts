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
  smsSegments,
} from '#domain';
import { TemplateFault, TemplateRenderer } from '#templates';
import type { Caller } from '../access/access.js';

export interface PreviewRequest {
  idOrKey: string;
  channel: ChannelId | undefined;
  /** Takes this locale only. */
  exactLocale: string | undefined;
  /** Takes the template that a send to a recipient with this locale takes. */
  recipientLocale: string | undefined;
  payload: Record<string, unknown>;
}

/** Renders a template as a send would, without sending. */
@Injectable()
export class PreviewTemplate {
  constructor(
    private readonly templates: TemplatesStore,
    private readonly renderer: TemplateRenderer,
  ) {}

  /** Throws `not_found`, `conflict`, and `render_error` with the field that cannot be rendered. */
  async run(caller: Caller, request: PreviewRequest) {
    const template = await this.find(caller, request);
    const { channel, locale, version, content, samplePayload } = template;
    const payload = Object.keys(request.payload).length > 0 ? request.payload : (samplePayload ?? {});
    try {
      const message = await this.renderer.render(channelOf(channel), content, [payload], caller.tenantId);
      // The limit of every tenant. Checked first because counting the segments of a longer text takes too long.
      const tooLong = messageFaultOf(channelOf(channel), message, { smsMaxSegments: MOST_SMS_SEGMENTS });
      if (tooLong) throw new TemplateFault(tooLong);
      const sms = channel === 'sms' ? { sms: smsSegments(String(message['text'])) } : {};
      return { channel, locale, version, message, ...sms };
    } catch (error) {
      throw error instanceof TemplateFault ? renderError(error) : error;
    }
  }

  private async find({ tenantId, settings }: Caller, request: PreviewRequest): Promise<Template> {
    const { idOrKey, channel, exactLocale, recipientLocale } = request;
    const locales = exactLocale ? [exactLocale] : localeChain(recipientLocale ?? null, settings.locale ?? null);
    for (const locale of locales) {
      const found = await this.templates.get(tenantId, { idOrKey, channel, locale });
      if (found) return found;
    }
    const any = await this.templates.get(tenantId, { idOrKey, channel });
    if (!any) throw notFound('template', idOrKey);
    return any;
  }
}

function renderError(error: TemplateFault): DomainError {
  return new DomainError('render_error', error.message, { errors: faultErrors(error) });
}

/** The renderer's messages begin with the pointer of the field, as `/subject: …`. */
export function faultErrors(error: TemplateFault): FieldError[] {
  const [, pointer = '', message = error.message] = /^(\/[^:]*): (.*)$/s.exec(error.message) ?? [];
  return [{ pointer: `/content${pointer}`, code: 'render_error', message }];
}
