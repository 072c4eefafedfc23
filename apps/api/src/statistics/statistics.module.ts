import { Module } from '@nestjs/common';
import { OperatorStatisticsController, StatisticsController } from './statistics.controller.js';

/** Counts of deliveries over time, which workers keep up to date. */
@Module({ controllers: [StatisticsController, OperatorStatisticsController] })
export class StatisticsModule {}
