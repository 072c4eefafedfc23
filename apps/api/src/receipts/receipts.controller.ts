import { Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Public } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { DEFAULT_BODY_LIMITS } from '../http/body-shape.js';
import { RawBody, type RawRequest } from '../http/raw-body.js';
import { LimitedBody } from '../http/route-config.js';
import { id } from '../http/schemas.js';
import { TakeReceipts } from './take-receipts.js';

const receiptParam = z.object({ provider: z.string().min(1).max(64), account_id: id });
const takenView = z.object({ taken: z.int() }).meta({ id: 'ReceiptsTaken' });

/** SendGrid posts up to 768 kB at once: about 1,900 events of 20 keys each. */
const BATCH_LIMITS = { ...DEFAULT_BODY_LIMITS, bytes: 1024 * 1024, keys: 50_000, values: 50_000 };

/** Vendors report delivery, bounces and complaints here. Their signature authenticates them. */
@ApiTags('Receipts')
@Controller('receipts')
export class ReceiptsController {
  constructor(private readonly takeReceipts: TakeReceipts) {}

  @Post(':provider/:account_id')
  @HttpCode(200)
  @Public()
  @RawBody()
  @LimitedBody(BATCH_LIMITS)
  @Answers({
    summary: 'Receive receipts from a provider',
    status: 200,
    schema: takenView,
    errors: [
      'not_found',
      'forbidden',
      'malformed_json',
      'payload_too_large',
      'validation_failed',
      'rate_limited',
      'unavailable',
    ],
  })
  async take(
    @Param({ schema: receiptParam }) { provider, account_id: accountId }: { provider: string; account_id: string },
    @Req() request: RawRequest,
  ) {
    return {
      taken: await this.takeReceipts.run({
        provider,
        accountId,
        address: request.ip,
        url: request.url,
        headers: request.headers,
        body: request.rawBody ?? '',
      }),
    };
  }
}
