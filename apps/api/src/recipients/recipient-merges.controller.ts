import { Body, Controller, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type MergeOutcome, MergeRecipientsStore, type MergeRefusal, type RecipientMerge } from '#database';
import { attributesTooLarge, type FieldError, tooManyCategories, tooManyDevices } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { BULK_BODY_LIMITS } from '../http/body-shape.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { readItem } from '../http/read-item.js';
import { LimitedBody } from '../http/route-config.js';
import { type MergeBody, type MergeView, mergeBody, mergeItem, mergeView, toMerge } from './merge.schema.js';

const REFUSALS: Readonly<Record<MergeRefusal, FieldError[]>> = {
  too_many_categories: tooManyCategories('/preferences/categories').errors!,
  too_many_devices: tooManyDevices('/devices').errors!,
  attributes_too_large: attributesTooLarge('/attributes').errors!,
};

@ApiTags('Recipients')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/recipients/bulk')
export class RecipientMergesController {
  constructor(private readonly store: MergeRecipientsStore) {}

  @Post()
  @HttpCode(200)
  @RequireApiKey('recipients:write')
  @LimitedBody(BULK_BODY_LIMITS)
  @Answers({
    summary: 'Create or update up to 1,000 recipients with preferences and devices',
    operationId: 'Recipients_merge',
    status: 200,
    schema: mergeView,
    errors: ['validation_failed', 'payload_too_large'],
  })
  async merge(@CurrentCaller() { tenantId }: Caller, @Body({ schema: mergeBody }) body: MergeBody): Promise<MergeView> {
    return await this.run(tenantId, body, false);
  }

  @Post('explain')
  @HttpCode(200)
  @RequireApiKey('recipients:read')
  @LimitedBody(BULK_BODY_LIMITS)
  @Answers({
    summary: 'Show what the same request to /recipients/bulk would do. Writes nothing',
    operationId: 'Recipients_explainMerge',
    status: 200,
    schema: mergeView,
    errors: ['validation_failed', 'payload_too_large'],
  })
  async explain(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: mergeBody }) body: MergeBody,
  ): Promise<MergeView> {
    return await this.run(tenantId, body, true);
  }

  /** Each item succeeds or fails by itself; those that succeed are one transaction. */
  private async run(tenantId: string, { recipients }: MergeBody, dryRun: boolean): Promise<MergeView> {
    const answer: MergeView = { accepted: [], rejected: [] };
    const reject = (index: number, errors: FieldError[]): void => {
      answer.rejected.push({ index, code: 'validation_failed', errors });
    };
    const merges: { index: number; merge: RecipientMerge }[] = [];
    for (const [index, given] of recipients.entries()) {
      const { item, errors } = readItem(mergeItem, given);
      if (item) merges.push({ index, merge: toMerge(item) });
      else reject(index, errors);
    }
    const results = await this.store.merge(
      tenantId,
      merges.map(({ merge }) => merge),
      dryRun,
    );
    for (const [place, { index, merge }] of merges.entries()) {
      const result = results[place]!;
      if (result in REFUSALS) reject(index, REFUSALS[result as MergeRefusal]);
      else answer.accepted.push({ index, id: merge.id, result: result as MergeOutcome });
    }
    answer.rejected.sort((left, right) => left.index - right.index);
    return answer;
  }
}
