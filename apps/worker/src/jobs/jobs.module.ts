import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { RunningJobsStore } from '#database';
import type { Logger } from '#telemetry';
import { LOGGER } from '../tokens.js';
import { JobRunner } from './job-runner.js';
import { topicSend } from './topic-send.kind.js';

/** Runs jobs: sends to topics, uploads. A new kind is a member of the runner's list. */
@Module({
  providers: [
    {
      provide: JobRunner,
      inject: [RunningJobsStore, LOGGER],
      useFactory: (store: RunningJobsStore, logger: Logger) => new JobRunner(store, [topicSend], logger),
    },
  ],
})
export class JobsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly runner: JobRunner) {}

  onApplicationBootstrap(): void {
    this.runner.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.runner.stop();
  }
}
