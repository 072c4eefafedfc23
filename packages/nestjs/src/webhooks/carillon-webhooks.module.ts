import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { EventHandlers, HANDLED_EVENTS } from './event-handlers.js';
import { type HandledEvents, MemoryOfHandledEvents } from './handled-events.js';
import { checkedSecrets } from './verify-call.js';
import { SECRETS, webhookControllerAt } from './webhook.controller.js';

export interface CarillonWebhooksOptions {
  /** `whsec_…`; during a rotation the new and the old one. */
  secrets: string | readonly string[];
  /** Which events were handled. Give a store that all processes use; the default is the memory of this one. */
  handledEvents?: HandledEvents;
}

/** The route must be known before the asynchronous options are. */
const ROUTE = {
  /** Of the webhook, after the global prefix of the application. */
  path: 'carillon/webhooks',
  /** Of the controller, such as one that exempts it from the application's own authentication. */
  decorators: [] as readonly ClassDecorator[],
};

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<CarillonWebhooksOptions>({
  moduleName: 'CarillonWebhooks',
})
  .setClassMethodName('forRoot')
  .setExtras(ROUTE, (definition, { path, decorators }) => ({
    ...definition,
    controllers: [webhookControllerAt(path, decorators)],
  }))
  .build();

/** Receives Carillon's webhooks, verifies them, and calls the methods with `@OnCarillonEvent`. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    EventHandlers,
    {
      provide: SECRETS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: ({ secrets }: CarillonWebhooksOptions) => checkedSecrets(secrets),
    },
    {
      provide: HANDLED_EVENTS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: ({ handledEvents }: CarillonWebhooksOptions) => handledEvents ?? new MemoryOfHandledEvents(),
    },
  ],
})
export class CarillonWebhooksModule extends ConfigurableModuleClass {}
