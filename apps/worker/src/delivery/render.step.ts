import { Injectable } from '@nestjs/common';
import { addedVariables, cleanJson, renderFailure, StopPipeline, tooLargeFailure } from '#domain';
import { Composed, type PayloadLayer, RendererBusy, TemplateFault, TemplateRenderer } from '#templates';
import { ComposeDigest } from './digest/compose-digest.js';
import type { Limited, Rendered } from './pipeline-context.js';
import { UnsubscribeLinks } from './unsubscribe-links.js';

/** The delay of a delivery when too many renders wait for a thread: this long to twice as long. */
const BUSY_SECONDS = 5;

interface Source {
  composed: Composed;
  templateVersion: number | null;
  payloads: PayloadLayer[];
}

/** Renders the message and checks it against the limits of its channel. */
@Injectable()
export class RenderStep {
  constructor(
    private readonly renderer: TemplateRenderer,
    private readonly links: UnsubscribeLinks,
    private readonly composeDigest: ComposeDigest,
  ) {}

  async run(limited: Limited): Promise<Rendered> {
    const { notification, recipient, tenant } = limited.context;
    // Webhooks have no template: braces in an event are data.
    if (notification.endpointId) return { ...limited, unsubscribe: null, message: limited.content };
    const unsubscribe = this.links.linkFor(limited.channel.id, limited.context);
    const added = addedVariables(notification.recipientId, recipient, unsubscribe?.url ?? null);
    try {
      const { composed, templateVersion, payloads } = await this.sourceOf(limited);
      // The payload wins over added variables, so a new added variable never changes what a template renders.
      const layers = [added, ...payloads];
      // A template can cut a surrogate pair in two, and the database rejects lone surrogates.
      const rendered = await this.renderer.render(limited.channel, composed, layers, limited.delivery.tenantId);
      const message = cleanJson(rendered);
      const failure = tooLargeFailure(limited.channel, message, { smsMaxSegments: tenant.settings.sms_max_segments });
      if (failure) throw new StopPipeline(failure);
      return { ...limited, templateVersion, unsubscribe, message };
    } catch (error) {
      if (error instanceof RendererBusy) {
        const delaySeconds = BUSY_SECONDS * (1 + Math.random());
        throw new StopPipeline({
          kind: 'held',
          reason: 'retry',
          rule: 'pipeline.capacity',
          delaySeconds,
          detail: error.message,
          rateLimitConsumed: true,
        });
      }
      if (!(error instanceof TemplateFault)) throw error;
      throw new StopPipeline(renderFailure(error.message));
    }
  }

  /** The content, and its payloads: those of the delivery, or the items of the digest that it leads. */
  private async sourceOf(limited: Limited): Promise<Source> {
    if (limited.digest) {
      const { content, includes, templateVersion, payload } = await this.composeDigest.run(limited, limited.digest);
      return { composed: new Composed(content, includes), templateVersion, payloads: [payload] };
    }
    const { content, includes, templateVersion, sharedPayload, context } = limited;
    const payloads = [sharedPayload ?? {}, context.notification.payload ?? {}];
    return { composed: new Composed(content, includes), templateVersion, payloads };
  }
}
