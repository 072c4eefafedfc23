import { cleanJson, messageFaultOf, StopPipeline } from '#domain';
import { RendererBusy, TemplateFault, type TemplateRenderer } from '#templates';
import type { Limited, Rendered } from './pipeline-context.js';
import type { UnsubscribeLinks } from './unsubscribe-links.js';

/** Waits at least this long when too many large templates wait for a thread; at most twice as long. */
const BUSY_SECONDS = 5;

/** The message, every variable in its place. */
export class RenderStep {
  constructor(
    private readonly renderer: TemplateRenderer,
    private readonly links: UnsubscribeLinks,
  ) {}

  async run(limited: Limited): Promise<Rendered> {
    const { notification, recipient, tenant } = limited.context;
    // No template: what braces stand in an event are its own.
    if (notification.endpointId) return { ...limited, unsubscribe: null, message: limited.content };
    const unsubscribe = this.links.linkFor(limited.channel.id, limited.context);
    const added = {
      recipient: { id: notification.recipientId, ...recipient?.attributes, locale: recipient?.locale ?? null },
      ...(unsubscribe && { unsubscribe_url: unsubscribe.url }),
    };
    // The payload wins over what we add; a template written for a send never changes its meaning under it.
    const layers = [added, limited.sharedPayload ?? {}, notification.payload ?? {}];
    try {
      // A template can cut a pair of surrogates in two; what it makes goes into the inbox or the mailbox.
      const rendered = await this.renderer.render(limited.channel, limited.content, layers, limited.delivery.tenantId);
      const message = cleanJson(rendered);
      const fault = messageFaultOf(limited.channel, message, { smsMaxSegments: tenant.settings.sms_max_segments });
      if (fault) throw new StopPipeline({ kind: 'failed', reason: 'rejected', code: 'too_long', detail: fault });
      return { ...limited, unsubscribe, message };
    } catch (error) {
      if (error instanceof RendererBusy) {
        const delaySeconds = BUSY_SECONDS * (1 + Math.random());
        throw new StopPipeline({
          kind: 'held',
          reason: 'retry',
          delaySeconds,
          detail: error.message,
          rateLimitConsumed: true,
        });
      }
      if (!(error instanceof TemplateFault)) throw error;
      throw new StopPipeline({ kind: 'failed', reason: 'render_error', code: 'render_error', detail: error.message });
    }
  }
}
