export { Batcher, type BatcherOptions } from './batcher.js';
export { Database, type DatabaseOptions, isOutage, type PrismaScope, type Sql, type Statement } from './database.js';
export { AlreadyRunning, type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.js';
export { migrate, pendingMigrations } from './migrate.js';
export { PostgresListener } from './postgres-listener.js';
export { SecretBox, type SecretPlace } from './secret-box.js';
