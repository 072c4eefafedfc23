import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { AcceptUpload } from './accept-upload.js';
import { StageUpload } from './stage-upload.js';
import { UploadsController } from './uploads.controller.js';

/** Accepts sends to many recipients as a stream. A worker sends to them: apps/worker/src/jobs/upload.kind.ts. */
@Module({
  imports: [AccessModule, NotificationsModule],
  controllers: [UploadsController],
  providers: [AcceptUpload, StageUpload],
})
export class UploadsModule {}
