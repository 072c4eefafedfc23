export type { LimitAnswer, Limiter, LimitRequest } from './limiter.js';
export { PostgresLimiter } from './postgres-store.js';
