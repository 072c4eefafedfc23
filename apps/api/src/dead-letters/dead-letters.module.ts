import { Module } from '@nestjs/common';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { TenantDeadLettersController } from './dead-letters.controller.js';
import { ReplayDeadLetters } from './replay-dead-letters.js';

/** The tenant's dead letters. Those of all tenants are in OperatorModule. */
@Module({
  imports: [NotificationsModule],
  controllers: [TenantDeadLettersController],
  providers: [ReplayDeadLetters],
  exports: [ReplayDeadLetters],
})
export class DeadLettersModule {}
