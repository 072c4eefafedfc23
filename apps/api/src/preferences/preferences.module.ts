import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { OwnPreferencesController } from './own-preferences.controller.js';
import { PreferenceLinks } from './preference-links.js';
import { PreferencePageController } from './preference-page.controller.js';
import { PreferenceRulesController } from './preference-rules.controller.js';
import { RecipientPreferencesController } from './recipient-preferences.controller.js';

@Module({
  imports: [AccessModule],
  controllers: [
    PreferenceRulesController,
    RecipientPreferencesController,
    OwnPreferencesController,
    PreferencePageController,
  ],
  providers: [PreferenceLinks],
  exports: [PreferenceLinks],
})
export class PreferencesModule {}
