import pino from 'pino';

export type Logger = pino.Logger;

/**
 * The logger of the process: JSON lines on standard output, or to `destination`. Callers log ids, codes and durations,
 * never credentials, payloads or addresses. `redact` is a second safeguard.
 */
export function createLogger(options: { level: string; role: string; destination?: pino.DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: { role: options.role },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: {
        paths: [
          '*.authorization',
          '*["x-api-key"]',
          '*["x-admin-token"]',
          '*.cookie',
          '*.password',
          '*.token',
          '*.credentials',
          '*.payload',
          '*.address',
        ],
        censor: '[redacted]',
      },
    },
    // Written in chunks, to avoid a system call per line. Flushed at exit and every 200 ms.
    options.destination ?? pino.destination({ dest: 1, minLength: 4_096, sync: false, periodicFlush: 200 }),
  );
}

interface ErrorLine {
  type: string;
  message: string;
  code?: unknown;
  stack?: string | undefined;
  cause?: ErrorLine;
}

/**
 * Logs a fixed set of fields. pino's own serializer writes every property of an error, such as pg's client with its
 * connection.
 */
function describeError(error: unknown): ErrorLine | unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    stack: error.stack,
    ...(error.cause instanceof Error && { cause: describeError(error.cause) as ErrorLine }),
  };
}

/** Writes Nest's log lines through the same logger. */
export class NestLogger {
  constructor(private readonly logger: Logger) {}
  log(message: unknown, ...rest: unknown[]): void {
    this.logger.debug({ context: rest.at(-1) }, String(message));
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.logger.warn({ context: rest.at(-1) }, String(message));
  }
  error(message: unknown, ...rest: unknown[]): void {
    const error = message instanceof Error ? message : undefined;
    this.logger.error({ err: error, context: rest.at(-1), stack: error ? undefined : rest[0] }, String(message));
  }
  debug(): void {}
  verbose(): void {}
  fatal(message: unknown): void {
    this.logger.fatal(String(message));
  }
}
