import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { InboxController } from './inbox.controller.js';
import { InboxGateway } from './inbox.gateway.js';
import { StreamAccess } from './stream-access.js';
import { StreamHub } from './stream-hub.js';

@Module({ imports: [AccessModule], controllers: [InboxController], providers: [StreamAccess, StreamHub, InboxGateway] })
export class InboxModule {}
