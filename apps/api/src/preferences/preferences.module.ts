import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { OwnPreferencesController } from './own-preferences.controller.js';
import { PreferenceRulesController } from './preference-rules.controller.js';
import { RecipientPreferencesController } from './recipient-preferences.controller.js';

@Module({
  imports: [AccessModule],
  controllers: [PreferenceRulesController, RecipientPreferencesController, OwnPreferencesController],
})
export class PreferencesModule {}
