import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { ConsoleController } from './console.controller.js';
import { OidcController } from './oidc/oidc.controller.js';
import { OidcProvider } from './oidc/oidc-provider.js';
import { OidcSignIn } from './oidc/oidc-sign-in.js';
import { SignIn } from './sign-in.js';

/** The sessions of the console. serve-console.ts serves its files. */
@Module({
  imports: [AccessModule],
  controllers: [ConsoleController, OidcController],
  providers: [SignIn, OidcProvider, OidcSignIn],
})
export class ConsoleModule {}
