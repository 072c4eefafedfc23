import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { type DeliveryContext, TemplatesStore, versionKey } from '#database';
import {
  addedVariables,
  type Channel,
  type ChannelId,
  cleanJson,
  type FieldError,
  inlineContentFor,
  missingTemplate,
  renderFailure,
  templateFor,
  tooLargeFailure,
} from '#domain';
import { Composed, TemplateFault, TemplateRenderer } from '#templates';
import { faultErrors } from '../../templates/preview-template.js';
import { CONFIG } from '../../tokens.js';
import { failedAs, type Verdict } from './verdict.js';

export interface PlannedMessage {
  templateVersion: number | null;
  /** Null if it does not render. */
  message: Record<string, unknown> | null;
  errors: FieldError[];
  /** The failure of the load step, if the template does not exist any more. */
  missing: Verdict | null;
  /** The failure of the render step, if it fails. */
  failure: Verdict | null;
}

/** Renders the message of a delivery that is not made, as the load and the render step would. */
@Injectable()
export class RenderPlanned {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly templates: TemplatesStore,
    private readonly renderer: TemplateRenderer,
  ) {}

  async run(channel: Channel, context: DeliveryContext, canUnsubscribe: boolean): Promise<PlannedMessage> {
    const { notification, recipient, tenant } = context;
    const { content, templateVersion } = await this.contentOf(channel, context);
    if (!content) {
      const failure = missingTemplate(channel, notification.templateId!);
      const errors = [{ pointer: '/template_id', code: 'unknown_template', message: failure.detail! }];
      return { templateVersion: null, message: null, errors, missing: failedAs(failure), failure: null };
    }
    const added = addedVariables(notification.recipientId, recipient, canUnsubscribe ? this.placeholder() : null);
    try {
      const layers = [added, notification.payload ?? {}];
      const message = cleanJson(await this.renderer.render(channel, content, layers, notification.tenantId));
      const failure = tooLargeFailure(channel, message, { smsMaxSegments: tenant.settings.sms_max_segments });
      const errors = failure ? [{ pointer: '/content', code: 'too_long', message: failure.detail! }] : [];
      return { templateVersion, message, errors, missing: null, failure: failure && failedAs(failure) };
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      const failure = failedAs(renderFailure(error.message));
      return { templateVersion, message: null, errors: faultErrors(error), missing: null, failure };
    }
  }

  /** A link that does nothing: a real one would let the reader of the explanation unsubscribe the recipient. */
  private placeholder(): string | null {
    return this.config.publicUrl === undefined ? null : `${this.config.publicUrl}/unsubscribe/placeholder`;
  }

  private async contentOf(channel: Channel, { notification, recipient, tenant, templateHeads }: DeliveryContext) {
    const { content: inline } = notification;
    if (inline) {
      const content = inlineContentFor(channel.id as ChannelId, inline);
      return { content: new Composed(content, null), templateVersion: null };
    }
    const head = templateFor(templateHeads, recipient?.locale ?? null, tenant.settings.locale ?? null);
    if (!head) return { content: null, templateVersion: null };
    const version = await this.templates.version(versionKey(notification.tenantId, head));
    return { content: version && new Composed(version.content, version.includes), templateVersion: head.version };
  }
}
