import type { WebhookEvent } from '@carillon/client';
import { Inject, Injectable, InternalServerErrorException, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { HandledEvents } from './handled-events.js';
import { EventTypes } from './on-carillon-event.js';

export const HANDLED_EVENTS = Symbol('carillon:handled-events');

interface Handler {
  name: string;
  types: readonly string[];
  run(event: WebhookEvent): unknown;
}

/** Calls the methods with `@OnCarillonEvent`. */
@Injectable()
export class EventHandlers implements OnApplicationBootstrap {
  private readonly logger = new Logger('CarillonWebhooks');
  /** The calls whose handlers run now, by `webhook-id`. */
  private readonly running = new Map<string, Promise<'handled' | 'repeated'>>();
  private handlers: Handler[] = [];

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(HANDLED_EVENTS) private readonly handled: HandledEvents,
  ) {}

  onApplicationBootstrap(): void {
    const classes = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    this.handlers = classes.flatMap((wrapper) => {
      const prototype: object | undefined = wrapper.instance
        ? Object.getPrototypeOf(wrapper.instance)
        : wrapper.metatype?.prototype;
      if (!prototype) return [];
      return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
        const types = this.discovery.getMetadataByDecorator(EventTypes, wrapper, method);
        if (!types) return [];
        const name = `${wrapper.name}.${method}`;
        if (!wrapper.isDependencyTreeStatic() || !wrapper.instance)
          throw new Error(`${name} has @OnCarillonEvent, but its class is not a singleton: remove its scope.`);
        return [{ name, types, run: (event: WebhookEvent) => wrapper.instance[method](event) }];
      });
    });
  }

  /**
   * Calls the handlers of the event and waits for them, unless they have handled it before. If one fails, throws 500:
   * Carillon then repeats the call, and all handlers run again.
   */
  async handle(webhookId: string, event: WebhookEvent): Promise<'handled' | 'repeated'> {
    const before = this.running.get(webhookId);
    if (before !== undefined) {
      await before;
      return 'repeated';
    }
    const run = this.runOnce(webhookId, event);
    this.running.set(webhookId, run);
    try {
      return await run;
    } finally {
      this.running.delete(webhookId);
    }
  }

  private async runOnce(webhookId: string, event: WebhookEvent): Promise<'handled' | 'repeated'> {
    if (await this.handled.has(webhookId)) return 'repeated';
    await this.runAll(event);
    await this.handled.add(webhookId);
    return 'handled';
  }

  private async runAll(event: WebhookEvent): Promise<void> {
    const wanted = this.handlers.filter(({ types }) => types.includes(event.type) || types.includes('*'));
    // A handler may throw before it returns a promise.
    const results = await Promise.allSettled(wanted.map(async ({ run }) => run(event)));
    const failed = wanted.filter((_handler, index) => results[index]?.status === 'rejected');
    for (const [index, result] of results.entries())
      if (result.status === 'rejected')
        this.logger.error(`${wanted[index]!.name} failed for ${event.type}`, result.reason);
    // Always 500: the status of an exception of Nest, such as 410, would mean something else to Carillon.
    if (failed.length > 0)
      throw new InternalServerErrorException(`${failed.map(({ name }) => name).join(', ')} failed`);
  }
}
