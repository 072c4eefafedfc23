import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '#config';
import { type ClaimedDelivery, PostgresListener } from '#database';
import type { DeliveryTransport } from '#messaging';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { sendTimes } from '../delivery/send/send-times.js';
import { Shutdown } from '../shutdown.js';
import { CONFIG, TRANSPORT } from '../tokens.js';
import { ClaimCapacity } from './claim-capacity.js';
import { DeliveryConsumer } from './delivery.consumer.js';
import { Dispatcher } from './dispatcher.js';

/**
 * At shutdown, the time to record the outcomes of sends under way, after the longest time of a provider. A connection
 * and a statement time out after 3.3 s together, and then the outcome goes to the spool.
 */
const RECORD_MS = 5_000;

/** Claims due deliveries and passes them to the pipeline. */
@Module({
  imports: [DeliveryModule],
  controllers: [DeliveryConsumer],
  providers: [Dispatcher, ClaimCapacity],
  exports: [Dispatcher],
})
export class DispatchModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(TRANSPORT) private readonly transport: DeliveryTransport<ClaimedDelivery>,
    private readonly dispatcher: Dispatcher,
    private readonly shutdown: Shutdown,
    listener: PostgresListener,
  ) {
    listener.on('carillon_due', (payload) => dispatcher.wake(payload.split(',')));
  }

  onApplicationBootstrap(): void {
    this.dispatcher.start();
  }

  /**
   * Begins the shutdown first, so that deliveries that have not been sent release their claims. Then waits for sends
   * under way. A delivery that is not finished at the deadline is left to the end of its lease.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.shutdown.begin();
    const deadlineMs = sendTimes(this.config).deadlineMs + RECORD_MS;
    await Promise.race([
      Promise.all([this.dispatcher.stop(), this.transport.drain()]),
      delay(deadlineMs, undefined, { ref: false }),
    ]);
  }
}
