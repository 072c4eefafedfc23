export type { EarlierTurn, LimitAnswer, Limiter, LimitPlaces, LimitRequest } from './limiter.js';
export { PostgresLimiter } from './postgres-store.js';
export { type KnownHits, type LookUp, RedisLimiter } from './redis-store.js';
export { type Allowance, type RequestAllowances, RequestLimit, SharedRequestLimit } from './request-limit.js';
