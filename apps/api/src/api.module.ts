import { type DynamicModule, Module } from '@nestjs/common';
import { AccessModule } from './access/access.module.js';
import { AuditModule } from './audit/audit.module.js';
import { CategoriesModule } from './categories/categories.module.js';
import { ConsoleModule } from './console/console.module.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { InboxModule } from './inbox/inbox.module.js';
import { InfrastructureModule, type InfrastructureOptions } from './infrastructure/infrastructure.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { KafkaIntakeModule } from './kafka-intake/kafka-intake.module.js';
import { MailboxModule } from './mailbox/mailbox.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { OperatorModule } from './operator/operator.module.js';
import { OwnApiKeyModule } from './own-api-key/own-api-key.module.js';
import { PreferencesModule } from './preferences/preferences.module.js';
import { ProviderAccountsModule } from './provider-accounts/provider-accounts.module.js';
import { QuotaModule } from './quota/quota.module.js';
import { ReceiptsModule } from './receipts/receipts.module.js';
import { RecipientsModule } from './recipients/recipients.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { StatisticsModule } from './statistics/statistics.module.js';
import { SuppressionsModule } from './suppressions/suppressions.module.js';
import { TemplatesModule } from './templates/templates.module.js';
import { TopicsModule } from './topics/topics.module.js';
import { UnsubscribeModule } from './unsubscribe/unsubscribe.module.js';
import { UploadsModule } from './uploads/uploads.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

/** The whole API: one module for each feature, and what all of them use. */
@Module({})
export class ApiModule {
  static register(options: InfrastructureOptions): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        InfrastructureModule.register(options),
        AccessModule,
        HttpModule,
        NotificationsModule,
        SchedulesModule,
        RecipientsModule,
        TemplatesModule,
        ProviderAccountsModule,
        CategoriesModule,
        QuotaModule,
        StatisticsModule,
        OwnApiKeyModule,
        PreferencesModule,
        SuppressionsModule,
        TopicsModule,
        JobsModule,
        UploadsModule,
        DeadLettersModule,
        WebhooksModule,
        ReceiptsModule,
        UnsubscribeModule,
        MailboxModule,
        InboxModule,
        OperatorModule,
        AuditModule,
        HealthModule,
        ...(options.config.console.enabled ? [ConsoleModule] : []),
        ...(options.kafka ? [KafkaIntakeModule] : []),
      ],
    };
  }
}
