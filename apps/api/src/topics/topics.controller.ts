import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { TopicsStore } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { listOf, listView, pageQuery } from '../http/schemas.js';
import { keyParam, type TopicBody, topicBody, topicView, toTopicView } from './topic.schema.js';

interface KeyParam {
  key: string;
}

@ApiTags('Topics')
@Controller('api/v1/topics')
export class TopicsController {
  constructor(private readonly topics: TopicsStore) {}

  @Get()
  @RequireApiKey('topics:read')
  @Answers({
    summary: 'List topics, by key',
    status: 200,
    schema: listOf(topicView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: pageQuery }) page: { limit: number; cursor?: string },
  ) {
    return listView(await this.topics.list(tenantId, page), toTopicView);
  }

  @Put(':key')
  @RequireApiKey('topics:write')
  @Answers({
    summary: 'Create or replace a topic. Its subscriptions stay',
    status: 200,
    creates: true,
    schema: topicView,
    errors: ['validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Body({ schema: topicBody }) body: TopicBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { topic, created } = await this.topics.put(tenantId, key, body);
    if (created) reply.status(201).header('Location', `/api/v1/topics/${encodeURIComponent(key)}`);
    return toTopicView(topic);
  }

  @Get(':key')
  @RequireApiKey('topics:read')
  @Answers({ summary: 'Get a topic', status: 200, schema: topicView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: keyParam }) { key }: KeyParam) {
    const topic = await this.topics.get(tenantId, key);
    if (!topic) throw notFound('topic', key);
    return toTopicView(topic);
  }

  @Delete(':key')
  @HttpCode(204)
  @RequireApiKey('topics:write')
  @Answers({ summary: 'Delete a topic with its subscriptions', status: 204, errors: ['not_found'] })
  async delete(@CurrentCaller() { tenantId }: Caller, @Param({ schema: keyParam }) { key }: KeyParam): Promise<void> {
    if (!(await this.topics.delete(tenantId, key))) throw notFound('topic', key);
  }
}
