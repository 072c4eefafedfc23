import { Module } from '@nestjs/common';
import { PreferencesModule } from '../preferences/preferences.module.js';
import { UnsubscribeController } from './unsubscribe.controller.js';

@Module({ imports: [PreferencesModule], controllers: [UnsubscribeController] })
export class UnsubscribeModule {}
