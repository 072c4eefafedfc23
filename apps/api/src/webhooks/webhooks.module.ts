import { Module } from '@nestjs/common';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { ProviderAccountsModule } from '../provider-accounts/provider-accounts.module.js';
import { ManageWebhooks } from './manage-webhooks.js';
import { ReplayWebhooks } from './replay-webhooks.js';
import { WebhooksController } from './webhooks.controller.js';

@Module({
  imports: [NotificationsModule, ProviderAccountsModule],
  controllers: [WebhooksController],
  providers: [ManageWebhooks, ReplayWebhooks],
})
export class WebhooksModule {}
