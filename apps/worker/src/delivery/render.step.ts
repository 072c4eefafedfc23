import { Halt } from '#domain';
import { TemplateFault, type TemplateRenderer } from '#templates';
import type { Limited, Rendered } from './stages.js';

/** The message, every variable in its place. */
export class RenderStep {
  constructor(private readonly renderer: TemplateRenderer) {}

  async run(limited: Limited): Promise<Rendered> {
    const { notification, recipient } = limited.context;
    // The payload wins over what we add; a template written for a send never changes its meaning under it.
    const payload = {
      recipient: { id: notification.recipientId, ...recipient?.attributes, locale: recipient?.locale ?? null },
      ...notification.payload,
    };
    try {
      return { ...limited, message: this.renderer.render(limited.channel, limited.content, payload) };
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      throw new Halt({ kind: 'failed', reason: 'render_error', code: 'render_error', detail: error.message });
    }
  }
}
