export { type Config, ConfigError, loadConfig, loadDatabaseConfig, profileOf, settingFaults } from './load-config.js';
export { type SettingName, secretSettings, settingsSchema } from './schema.js';
