export { type Config, ConfigError, loadConfig, profileOf, settingFaults } from './load-config.js';
export { type SettingName, secretSettings, settingsSchema } from './schema.js';
