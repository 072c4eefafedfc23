import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { ConsoleController } from './console.controller.js';
import { SignIn } from './sign-in.js';

/** The sessions of the console. serve-console.ts serves its files. */
@Module({ imports: [AccessModule], controllers: [ConsoleController], providers: [SignIn] })
export class ConsoleModule {}
