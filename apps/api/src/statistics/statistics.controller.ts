import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type StatisticsQuery, StatisticsStore } from '#database';
import { type Caller, CurrentCaller, RequireApiKey, RequireOperator } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { statisticsQuery, statisticsView, toStatisticsView } from './statistics.schema.js';

/** Counts the deliveries of a tenant over time, by outcome. */
@ApiTags('Sending')
@Controller('api/v1/statistics')
export class StatisticsController {
  constructor(private readonly statistics: StatisticsStore) {}

  @Get()
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'Count deliveries over time, by what became of them',
    status: 200,
    schema: statisticsView,
    errors: ['validation_failed'],
  })
  async get(@CurrentCaller() { tenantId }: Caller, @Query({ schema: statisticsQuery }) query: StatisticsQuery) {
    return toStatisticsView(await this.statistics.ofTenant(tenantId, query));
  }
}

/** The same for all tenants, without test tenants. */
@ApiTags('Operator')
@Controller('internal/statistics')
export class OperatorStatisticsController {
  constructor(private readonly statistics: StatisticsStore) {}

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'Count the deliveries of all tenants over time, by what became of them',
    status: 200,
    schema: statisticsView,
    errors: ['validation_failed'],
  })
  async get(@Query({ schema: statisticsQuery }) query: StatisticsQuery) {
    return toStatisticsView(await this.statistics.ofAll(query));
  }
}
