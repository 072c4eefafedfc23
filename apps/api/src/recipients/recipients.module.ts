import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { RecipientsController } from './recipients.controller.js';

@Module({ imports: [AccessModule], controllers: [RecipientsController] })
export class RecipientsModule {}
