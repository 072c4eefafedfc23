import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { OperationsListener } from './operations-listener.js';

@Module({ controllers: [HealthController], providers: [OperationsListener] })
export class HealthModule {}
