import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import {
  AcceptStore,
  Database,
  DeadLettersStore,
  ReturnPlaces,
  RunningJobsStore,
  SharedContentsStore,
} from '#database';
import type { Logger } from '#telemetry';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { Dispatcher } from '../dispatch/dispatcher.js';
import { LOGGER } from '../tokens.js';
import { DeadLetterReplayKind } from './dead-letter-replay.kind.js';
import { JobRunner } from './job-runner.js';
import { topicSend } from './topic-send.kind.js';
import { UploadKind } from './upload.kind.js';

/** Runs jobs: sends to topics, uploads, replays of dead letters. A new kind is a member of the runner's list. */
@Module({
  imports: [DeliveryModule, DispatchModule],
  providers: [
    {
      provide: AcceptStore,
      inject: [Database, Dispatcher],
      useFactory: (database: Database, dispatcher: Dispatcher) =>
        new AcceptStore(database, (lanes) => dispatcher.wake(lanes)),
    },
    {
      provide: UploadKind,
      inject: [AcceptStore, SharedContentsStore, LOGGER],
      useFactory: (accept: AcceptStore, sharedContents: SharedContentsStore, logger: Logger) =>
        new UploadKind(accept, sharedContents, logger),
    },
    {
      provide: DeadLettersStore,
      inject: [Database, Dispatcher],
      useFactory: (database: Database, dispatcher: Dispatcher) =>
        new DeadLettersStore(database, (lanes) => dispatcher.wake(lanes)),
    },
    {
      provide: JobRunner,
      inject: [RunningJobsStore, ReturnPlaces, UploadKind, DeadLettersStore, LOGGER],
      useFactory: (
        store: RunningJobsStore,
        returnPlaces: ReturnPlaces,
        upload: UploadKind,
        letters: DeadLettersStore,
        logger: Logger,
      ) =>
        new JobRunner(
          store,
          [
            topicSend(returnPlaces),
            upload,
            new DeadLetterReplayKind('dead_letter_replay', letters),
            new DeadLetterReplayKind('operator_dead_letter_replay', letters),
          ],
          logger,
        ),
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
