import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { RecipientsController } from './recipients.controller.js';

@Module({ imports: [HttpModule], controllers: [RecipientsController] })
export class RecipientsModule {}
