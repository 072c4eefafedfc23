export { createLogger, type Logger, NestLogger } from './logger.js';
export { answerMetrics, instruments, startMetrics } from './metrics.js';
export { type OperationsServer, type Readiness, startOperationsServer } from './operations-server.js';
export { stopOnSignal } from './stop-on-signal.js';
export { traceIdOf, traceparentOf } from './trace-context.js';
