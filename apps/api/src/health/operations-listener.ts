import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#config';
import { type OperationsServer, startOperationsServer } from '#telemetry';
import { CONFIG } from '../tokens.js';
import { ApiReadiness } from './api-readiness.js';

const DEFAULT_METRICS_PORT = 9_090;

/** `/livez`, `/readyz` and `/metrics` on METRICS_PORT, from before the database is ready until requests have ended. */
@Injectable()
export class OperationsListener implements OnApplicationShutdown {
  private server: OperationsServer | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly readiness: ApiReadiness,
  ) {}

  /** Returns the port. `fallback`: take any free port when the configured one is in use. */
  async start(fallback: boolean): Promise<number> {
    this.server = await startOperationsServer({
      port: this.config.metricsPort ?? DEFAULT_METRICS_PORT,
      host: this.config.metricsHost,
      readiness: () => this.readiness.check(),
      fallback,
    });
    return this.server.port;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.server?.close();
  }
}
