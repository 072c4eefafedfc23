import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#config';
import { ConnectionFactory } from '#providers';
import { CONFIG } from '../tokens.js';
import { ManageProviderAccounts } from './manage-provider-accounts.js';
import { ProviderAccountsController } from './provider-accounts.controller.js';

@Module({
  controllers: [ProviderAccountsController],
  providers: [
    ManageProviderAccounts,
    {
      provide: ConnectionFactory,
      inject: [CONFIG],
      // The API verifies accounts and reads receipts; it never sends, so the sandbox never stores a message here.
      useFactory: (config: Config) =>
        new ConnectionFactory({ ...config, deposit: () => Promise.reject(new Error('the API does not send')) }),
    },
  ],
  exports: [ConnectionFactory, ManageProviderAccounts],
})
export class ProviderAccountsModule implements OnApplicationShutdown {
  constructor(private readonly connectionFactory: ConnectionFactory) {}

  async onApplicationShutdown(): Promise<void> {
    await this.connectionFactory.close();
  }
}
