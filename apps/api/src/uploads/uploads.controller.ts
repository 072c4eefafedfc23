import type { Readable } from 'node:stream';
import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type Caller, type CarillonRequest, CurrentCaller, RequireApiKey } from '../access/access.js';
import { refuseSession } from '../access/session-access.js';
import { Answers } from '../http/answers.js';
import { idempotencyKeyOf } from '../http/idempotency.js';
import { AcceptsNotifications } from '../http/route-config.js';
import { SkipIdempotency } from '../http/skip-idempotency.js';
import { StreamedBody } from '../http/streamed-body.js';
import { jobView } from '../jobs/job.schema.js';
import { AcceptUpload } from './accept-upload.js';
import type { ParseJson } from './parse-line.js';
import { MAX_UPLOAD_BYTES } from './read-lines.js';

/** Accepts the recipients of a send as a stream. */
@ApiTags('Sending')
@Controller('api/v1')
export class UploadsController {
  constructor(private readonly acceptUpload: AcceptUpload) {}

  @Post('notifications/stream')
  @HttpCode(202)
  @AcceptsNotifications()
  @SkipIdempotency()
  @RequireApiKey('notifications:write')
  @StreamedBody(MAX_UPLOAD_BYTES)
  @Answers({
    summary: 'Send to up to a million recipients, one on each line',
    status: 202,
    schema: jobView,
    errors: ['validation_failed', 'unknown_template', 'payload_too_large', 'unavailable'],
  })
  async upload(
    @CurrentCaller() caller: Caller,
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    refuseSession(request);
    // A rejected upload is not read to its end.
    reply.header('Connection', 'close');
    const { answer, isReplay } = await this.acceptUpload.run(caller, {
      // Destroying the stream would destroy the connection before the answer.
      body: (request.body as Readable).iterator({ destroyOnReturn: false }),
      parse: parserOf(request),
      idempotencyKey: idempotencyKeyOf(request),
    });
    if (isReplay) reply.header('Idempotency-Replayed', 'true');
    reply.header('Location', answer.location);
    return answer.body;
  }
}

/** Fastify's parser rejects `__proto__` and `constructor.prototype` keys. It calls back at once. */
function parserOf(request: CarillonRequest): ParseJson {
  const parse = request.server.getDefaultJsonParser('error', 'error');
  return (text) => {
    let parsed: unknown;
    void parse(request, text, (error, value) => {
      if (error) throw error;
      parsed = value;
    });
    return parsed;
  };
}
