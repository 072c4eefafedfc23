import { Module } from '@nestjs/common';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { ManageSchedules } from './manage-schedules.js';
import { SchedulesController } from './schedules.controller.js';

@Module({
  imports: [NotificationsModule],
  controllers: [SchedulesController],
  providers: [ManageSchedules],
})
export class SchedulesModule {}
