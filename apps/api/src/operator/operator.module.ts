import { Module } from '@nestjs/common';
import { DeadLettersModule } from '../dead-letters/dead-letters.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { ProviderAccountsModule } from '../provider-accounts/provider-accounts.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { ApiKeysController } from './api-keys.controller.js';
import { DeadLetterReplaysController } from './dead-letter-replays.controller.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { OverviewController } from './overview.controller.js';
import { PlatformProviderAccountsController } from './platform-provider-accounts.controller.js';
import { PlatformTemplatesController } from './platform-templates.controller.js';
import { PoisonMessagesController } from './poison-messages.controller.js';
import { TenantsController } from './tenants.controller.js';

/** The operator's routes, under `/internal`. */
@Module({
  imports: [DeadLettersModule, NotificationsModule, ProviderAccountsModule, TemplatesModule],
  controllers: [
    TenantsController,
    ApiKeysController,
    DeadLettersController,
    DeadLetterReplaysController,
    PlatformProviderAccountsController,
    PlatformTemplatesController,
    PoisonMessagesController,
    OverviewController,
  ],
})
export class OperatorModule {}
