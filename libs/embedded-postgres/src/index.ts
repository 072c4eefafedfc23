export { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
export { AlreadyRunning } from './owner-lock.js';
export { embeddedPostgresUrl } from './running-server.js';
