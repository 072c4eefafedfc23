import type { OutgoingHttpHeaders } from 'node:http';
import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type InboxChange, type InboxItem, InboxStore } from '#database';
import { notFound } from '#domain';
import type { RealtimeBus } from '#realtime';
import { type Caller, type CarillonRequest, CurrentCaller, RequireRecipient } from '../access/access.js';
import { refuseSession } from '../access/session-access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listOf, listView } from '../http/schemas.js';
import { BUS } from '../tokens.js';
import { EventStream } from './event-stream.js';
import { countsView, inboxQuery, itemView, parseSequenceNumber, streamQuery, toItemView } from './inbox.schema.js';
import { StreamHub } from './stream-hub.js';

interface InboxQuery {
  limit: number;
  cursor?: string;
  unread?: boolean;
  archived?: boolean;
  category?: string;
  after_seq?: number;
}

@ApiTags('Inbox')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/inbox')
export class InboxController {
  constructor(
    private readonly inbox: InboxStore,
    private readonly hub: StreamHub,
    @Inject(BUS) private readonly bus: RealtimeBus,
  ) {}

  @Get()
  @RequireRecipient('inbox:read')
  @Answers({ summary: 'List items', status: 200, schema: listOf(itemView), errors: ['validation_failed'] })
  async list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: inboxQuery }) { after_seq: afterSeq, ...query }: InboxQuery,
  ) {
    return listView(await this.inbox.list(caller.tenantId, caller.recipientId!, { ...query, afterSeq }), toItemView);
  }

  @Get('counts')
  @RequireRecipient('inbox:read')
  @Answers({ summary: 'Get the counters', status: 200, schema: countsView })
  async counts(@CurrentCaller() caller: Caller) {
    return (await this.inbox.head(caller.tenantId, caller.recipientId!)).counts;
  }

  @Get('stream')
  @RequireRecipient('inbox:read')
  @Answers({
    summary: 'Stream items: a WebSocket upgrade, or server-sent events',
    status: 200,
    errors: ['validation_failed'],
  })
  stream(
    @CurrentCaller() caller: Caller,
    @Query({ schema: streamQuery }) query: { since?: number },
    @Req() request: CarillonRequest,
    @Res() reply: FastifyReply,
  ): void {
    refuseSession(request);
    const { tenantId, recipientId, keyId, token } = caller;
    const owner = { tenantId, recipientId: recipientId!, keyId, token };
    this.hub.checkCapacity(owner);
    const since = lastEventIdOf(request) ?? query.since ?? null;
    reply.headers({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    reply.hijack();
    const { raw } = reply;
    // With the headers of every answer and those of CORS. The types differ in optional names only.
    raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
    raw.flushHeaders();
    raw.on('close', this.hub.open(owner, new EventStream(raw), since));
  }

  @Post('read-all')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Mark everything read', status: 204 })
  async readAll(@CurrentCaller() caller: Caller): Promise<void> {
    this.announce(caller, await this.inbox.changeAll(caller.tenantId, caller.recipientId!, 'read'));
  }

  @Post('seen-all')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Mark everything seen', status: 204 })
  async seenAll(@CurrentCaller() caller: Caller): Promise<void> {
    this.announce(caller, await this.inbox.changeAll(caller.tenantId, caller.recipientId!, 'seen'));
  }

  @Post(':id/read')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Mark an item read', status: 204, errors: ['not_found'] })
  async read(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<void> {
    await this.change(caller, id, 'read');
  }

  @Post(':id/unread')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Mark an item unread', status: 204, errors: ['not_found'] })
  async unread(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<void> {
    await this.change(caller, id, 'unread');
  }

  @Post(':id/seen')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Mark an item seen', status: 204, errors: ['not_found'] })
  async seen(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<void> {
    await this.change(caller, id, 'seen');
  }

  @Post(':id/archive')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Archive an item', status: 204, errors: ['not_found'] })
  async archive(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<void> {
    await this.change(caller, id, 'archive');
  }

  @Post(':id/unarchive')
  @HttpCode(204)
  @RequireRecipient('inbox:write')
  @Answers({ summary: 'Move an item back from the archive', status: 204, errors: ['not_found'] })
  async unarchive(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<void> {
    await this.change(caller, id, 'unarchive');
  }

  private async change(caller: Caller, id: string, change: InboxChange): Promise<void> {
    const found = await this.inbox.change(caller.tenantId, caller.recipientId!, id, change);
    if (!found) throw notFound('inbox item', id);
    if (found.changed) this.announce(caller, [found.item]);
  }

  private announce(caller: Caller, items: InboxItem[]): void {
    this.bus.publish(
      items.map((item) => {
        const { id, seq, read_at, seen_at, archived_at } = toItemView(item);
        return {
          kind: 'item_changed',
          tenantId: caller.tenantId,
          recipientId: caller.recipientId!,
          item: { id, seq, read_at, seen_at, archived_at },
        };
      }),
    );
  }
}

/**
 * The sequence number of the last item that the client has, because only items have an event id. Throws
 * `validation_failed` for any other text: a stream that ignored it would miss items without a sign. An empty id means
 * none (HTML standard, section 9.2.4).
 */
function lastEventIdOf(request: CarillonRequest): number | null {
  const text = [request.headers['last-event-id'] ?? ''].flat().join();
  return text === '' ? null : parseSequenceNumber(text, 'Last-Event-ID');
}
