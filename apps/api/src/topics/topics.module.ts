import { Module } from '@nestjs/common';
import { SubscriptionsController } from './subscriptions.controller.js';
import { TopicsController } from './topics.controller.js';

/** Topics and their subscriptions. Sends to topics are in NotificationsModule. */
@Module({ controllers: [TopicsController, SubscriptionsController] })
export class TopicsModule {}
