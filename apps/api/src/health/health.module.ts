import { Module } from '@nestjs/common';
import { ApiReadiness } from './api-readiness.js';
import { HealthController } from './health.controller.js';
import { OperationsListener } from './operations-listener.js';

@Module({ controllers: [HealthController], providers: [ApiReadiness, OperationsListener] })
export class HealthModule {}
