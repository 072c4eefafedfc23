import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DomainError } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../../access/access.js';
import { Answers } from '../../http/answers.js';
import { SkipIdempotency } from '../../http/skip-idempotency.js';
import { type SendBody, sendBody } from '../notification.schema.js';
import { explainView } from './explain.schema.js';
import { ExplainSend } from './explain-send.js';

/** Says what would become of a send. */
@ApiTags('Sending')
@Controller('api/v1/notifications/explain')
export class ExplainController {
  constructor(private readonly explainSend: ExplainSend) {}

  /** Needs both scopes: the answer has the state of a recipient, and a content may show the profile. */
  @Post()
  @HttpCode(200)
  @SkipIdempotency()
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'Explain what would become of a send, without sending. Also needs the scope notifications:write',
    operationId: 'Notifications_explain',
    status: 200,
    schema: explainView,
    errors: ['validation_failed', 'no_address', 'unknown_template'],
  })
  async explain(@CurrentCaller() caller: Caller, @Body({ schema: sendBody }) body: SendBody) {
    if (!caller.scopes.has('notifications:write'))
      throw new DomainError('forbidden', 'This API key lacks the scope notifications:write, which a send needs.');
    return { deliveries: await this.explainSend.run(caller, body) };
  }
}
