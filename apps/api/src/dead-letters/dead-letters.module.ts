import { Module } from '@nestjs/common';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { TenantDeadLettersController } from './dead-letters.controller.js';

/** The tenant's dead letters. Those of all tenants are in OperatorModule. */
@Module({ imports: [NotificationsModule], controllers: [TenantDeadLettersController] })
export class DeadLettersModule {}
