import { Injectable } from '@nestjs/common';
import { IdempotencyStore, JobsStore, type StoredResponse } from '#database';
import { DomainError } from '#domain';
import type { Caller } from '../access/access.js';
import { Authenticator } from '../access/authenticator.js';
import { checkKey } from '../access/authorize-request.js';
import { answerOnce } from '../http/answer-once.js';
import { toJobView } from '../jobs/job.schema.js';
import type { ParseJson } from './parse-line.js';
import { type StagedUpload, StageUpload } from './stage-upload.js';

/** Uploads at a time in one process: each holds a connection to the client and up to 2 MB of lines. */
const UPLOADS_AT_ONCE = 16;
const UPLOADS_OF_TENANT = 2;
const RETRY_AFTER_SECONDS = 10;

export interface Upload {
  body: AsyncIterable<Buffer>;
  parse: ParseJson;
  idempotencyKey: string | null;
}

/** Accepts an upload: stores its lines, then creates the job that sends to them. */
@Injectable()
export class AcceptUpload {
  /** The number of uploads that arrive, by tenant. */
  private readonly arriving = new Map<string, number>();

  constructor(
    private readonly authenticator: Authenticator,
    private readonly stage: StageUpload,
    private readonly jobs: JobsStore,
    private readonly idempotency: IdempotencyStore,
  ) {}

  /**
   * Throws the errors of StageUpload, `rate_limited`, those of a used idempotency key, and `unauthenticated` or
   * `forbidden` if the API key ends or the tenant is suspended while the upload arrives.
   */
  async run(caller: Caller, upload: Upload): Promise<{ answer: StoredResponse; isReplay: boolean }> {
    const { tenantId } = caller;
    const { body, parse, idempotencyKey: key } = upload;
    const staged = await this.counted(tenantId, () => this.stage.run(caller, this.whileAllowed(caller, body), parse));
    await this.checkAccess(caller);
    const create = (): Promise<StoredResponse> => this.create(caller, staged);
    if (key === null) return { answer: await create(), isReplay: false };
    const bodyHash = staged.bodyHash;
    return await answerOnce(this.idempotency, { tenantId, key, bodyHash }, create);
  }

  private async *whileAllowed(caller: Caller, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      await this.checkAccess(caller);
      yield chunk;
    }
  }

  private async checkAccess({ keyId }: Caller): Promise<void> {
    const key = await this.authenticator.current(keyId!);
    if (!key) throw new DomainError('unauthenticated', 'The API key is no longer valid. Nothing was accepted.');
    checkKey(key, 'notifications:write');
  }

  private async create(
    { tenantId, traceparent }: Caller,
    { jobId, head, total }: StagedUpload,
  ): Promise<StoredResponse> {
    const input = { head, traceparent };
    const job = {
      id: jobId,
      kind: 'upload',
      input,
      total,
      pacePerSecond: null,
      notificationId: null,
      dueAt: null,
    } as const;
    // Nothing may fail after the commit: that would free the idempotency key.
    const created = await this.jobs.create(tenantId, job);
    return { status: 202, body: toJobView(created), location: `/api/v1/jobs/${jobId}` };
  }

  private async counted<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    const ofTenant = this.arriving.get(tenantId) ?? 0;
    const all = [...this.arriving.values()].reduce((sum, count) => sum + count, 0);
    if (ofTenant >= UPLOADS_OF_TENANT) throw tooMany('rate_limited', `${UPLOADS_OF_TENANT} uploads of a tenant`);
    if (all >= UPLOADS_AT_ONCE) throw tooMany('unavailable', `${UPLOADS_AT_ONCE} uploads`);
    this.arriving.set(tenantId, ofTenant + 1);
    try {
      return await work();
    } finally {
      const left = this.arriving.get(tenantId)! - 1;
      if (left === 0) this.arriving.delete(tenantId);
      else this.arriving.set(tenantId, left);
    }
  }
}

function tooMany(code: 'rate_limited' | 'unavailable', most: string): DomainError {
  const message = `A process accepts at most ${most} at a time. Try again when one has ended.`;
  return new DomainError(code, message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}
