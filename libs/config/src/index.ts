export { connectionAdvice, OutageReports } from './connection-advice.js';
export type { TlsConfig } from './connection-settings.js';
export type { OidcConfig } from './console-settings.js';
export { type Config, ConfigError, loadConfig, loadDatabaseConfig, profileOf, settingFaults } from './load-config.js';
export { localAccess, removeLocalAddress, writeLocalAddress } from './local-access.js';
export { type SettingName, secretSettings, settingsSchema } from './schema.js';
