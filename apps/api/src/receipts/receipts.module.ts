import { Module } from '@nestjs/common';
import { ProviderAccountsModule } from '../provider-accounts/provider-accounts.module.js';
import { ReceiptsController } from './receipts.controller.js';
import { ReportingAccounts } from './reporting-accounts.js';
import { TakeReceipts } from './take-receipts.js';

@Module({
  imports: [ProviderAccountsModule],
  controllers: [ReceiptsController],
  providers: [ReportingAccounts, TakeReceipts],
})
export class ReceiptsModule {}
