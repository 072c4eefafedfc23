import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { InboxController } from './inbox.controller.js';
import { InboxGateway } from './inbox.gateway.js';
import { StreamAccess } from './stream-access.js';
import { StreamHub } from './stream-hub.js';

@Module({ imports: [HttpModule], controllers: [InboxController], providers: [StreamAccess, StreamHub, InboxGateway] })
export class InboxModule {}
