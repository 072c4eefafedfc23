import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { RecipientExportController } from './recipient-export.controller.js';
import { RecipientMergesController } from './recipient-merges.controller.js';
import { RecipientsController } from './recipients.controller.js';

@Module({
  imports: [AccessModule],
  controllers: [RecipientMergesController, RecipientsController, RecipientExportController],
})
export class RecipientsModule {}
