import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { KafkaIntake } from './kafka-intake.js';
import { RequestIntake } from './request-intake.js';

/** Sends that arrive on a Kafka topic. Imported only with KAFKA_INTAKE_ENABLED. */
@Module({ imports: [HttpModule, NotificationsModule], providers: [RequestIntake, KafkaIntake] })
export class KafkaIntakeModule {}
