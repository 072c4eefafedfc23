import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { AcceptStore, Database, DueSchedulesStore, TemplatesStore, TopicSendsStore } from '#database';
import type { Logger } from '#telemetry';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { Dispatcher } from '../dispatch/dispatcher.js';
import { LOGGER } from '../tokens.js';
import { FireSchedules } from './fire-schedules.js';
import { ScheduleRunner } from './schedule-runner.js';

/** Fires the recurring sends of tenants. */
@Module({
  imports: [DispatchModule],
  providers: [
    {
      provide: AcceptStore,
      inject: [Database, Dispatcher],
      useFactory: (database: Database, dispatcher: Dispatcher) =>
        new AcceptStore(database, (lanes) => dispatcher.wake(lanes)),
    },
    {
      provide: FireSchedules,
      inject: [AcceptStore, TopicSendsStore, TemplatesStore, LOGGER],
      useFactory: (accept: AcceptStore, topicSends: TopicSendsStore, templates: TemplatesStore, logger: Logger) =>
        new FireSchedules({ accept, topicSends, templates }, logger),
    },
    {
      provide: ScheduleRunner,
      inject: [DueSchedulesStore, FireSchedules, LOGGER],
      useFactory: (store: DueSchedulesStore, fire: FireSchedules, logger: Logger) =>
        new ScheduleRunner(store, fire, logger),
    },
  ],
})
export class SchedulesModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly runner: ScheduleRunner) {}

  onApplicationBootstrap(): void {
    this.runner.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.runner.stop();
  }
}
