import { Controller, Headers, HttpCode, Inject, Post, Req, type Type } from '@nestjs/common';
import { EventHandlers } from './event-handlers.js';
import { verifyCall, type WebhookCall } from './verify-call.js';

export const SECRETS = Symbol('carillon:webhook-secrets');

/** Returns a controller of its own for each module, because its path is an option. */
export function webhookControllerAt(path: string, decorators: readonly ClassDecorator[]): Type {
  @Controller(path)
  class CarillonWebhookController {
    constructor(
      @Inject(SECRETS) private readonly secrets: readonly string[],
      @Inject(EventHandlers) private readonly handlers: EventHandlers,
    ) {}

    /** A repeated call is a success: with another answer Carillon would repeat it again. */
    @Post()
    @HttpCode(200)
    async receive(
      @Req() call: WebhookCall,
      @Headers('webhook-id') webhookId: string,
    ): Promise<{ result: 'handled' | 'repeated' }> {
      const event = verifyCall(this.secrets, call);
      return { result: await this.handlers.handle(webhookId, event) };
    }
  }
  for (const decorate of decorators) decorate(CarillonWebhookController);
  return CarillonWebhookController;
}
