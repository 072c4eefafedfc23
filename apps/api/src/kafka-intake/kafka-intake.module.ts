import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { KafkaIntake } from './kafka-intake.js';
import { RequestIntake } from './request-intake.js';

/** Sends that arrive on a Kafka topic. Imported only with KAFKA_INTAKE_ENABLED. */
@Module({ imports: [AccessModule, NotificationsModule], providers: [RequestIntake, KafkaIntake] })
export class KafkaIntakeModule {}
