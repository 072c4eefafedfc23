import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type Config, connectionAdvice } from '#config';
import { PoisonMessagesStore } from '#database';
import { type Kafka, RequestStream } from '#messaging';
import type { Logger } from '#telemetry';
import { CONFIG, KAFKA, LOGGER } from '../tokens.js';
import { RequestIntake } from './request-intake.js';

/** Reads sends from their topic from the start of the application until its shutdown. */
@Injectable()
export class KafkaIntake implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stream: RequestStream;

  constructor(
    @Inject(CONFIG) { kafka: settings }: Config,
    @Inject(KAFKA) kafka: Kafka,
    @Inject(LOGGER) logger: Logger,
    intake: RequestIntake,
    poisonMessages: PoisonMessagesStore,
  ) {
    this.stream = new RequestStream({
      kafka,
      prefix: settings!.prefix,
      partitions: settings!.partitions,
      handle: (request) => intake.handle(request),
      notePoison: (message) => poisonMessages.note(message),
      onFault: (error, message) => logger.warn({ err: error }, message + connectionAdvice('KAFKA', error)),
    });
  }

  onApplicationBootstrap(): void {
    this.stream.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stream.stop();
  }
}
