import { Injectable } from '@nestjs/common';
import { type AuditNote, DeadLettersStore, type Job, JobsStore, type LetterCount, type Page } from '#database';
import { type JobKindName, newId, notFound, PLATFORM_TENANT_ID } from '#domain';
import { filterOf, type OperatorReplayBody } from './dead-letter.schema.js';

/**
 * Replays of all dead letters that match a filter, as jobs. The owner is a tenant or, with the id of the platform, the
 * operator, whose replays are of one tenant or of all.
 */
@Injectable()
export class ReplayDeadLetters {
  constructor(
    private readonly letters: DeadLettersStore,
    private readonly jobs: JobsStore,
  ) {}

  /** The dead letters that a replay would put back into the queue. */
  async count(owner: string, filter: OperatorReplayBody['filter']): Promise<LetterCount> {
    const scope = owner === PLATFORM_TENANT_ID ? null : owner;
    return await this.letters.count(scope, { ...filterOf(filter), unreplayed: true });
  }

  async start(owner: string, body: OperatorReplayBody, note: AuditNote): Promise<Job> {
    const { filter, rate_per_second: pacePerSecond = null } = body;
    const { count, isComplete } = await this.count(owner, filter);
    const total = isComplete ? count : null;
    const job = {
      id: newId(),
      kind: kindOf(owner),
      input: { filter },
      total,
      pacePerSecond,
      notificationId: null,
      dueAt: null,
    };
    return await this.jobs.create(owner, job, { note, after: { filter, total, rate_per_second: pacePerSecond } });
  }

  /** Newest first. */
  async list(owner: string, page: { limit: number; cursor?: string | undefined }): Promise<Page<Job>> {
    return await this.jobs.list(owner, { kind: kindOf(owner) }, page);
  }

  /** Throws `not_found` for a job of another kind too. */
  async get(owner: string, id: string): Promise<Job> {
    const job = await this.jobs.get(owner, id);
    if (job?.kind !== kindOf(owner)) throw notFound('replay', id);
    return job;
  }

  /** Throws `not_found`, and `conflict` or `too_late` for a replay that has ended. */
  async move(owner: string, id: string, state: 'paused' | 'running' | 'cancelled', note: AuditNote | null) {
    await this.get(owner, id);
    return found(id, await this.jobs.move(owner, id, state, note));
  }

  async setPace(owner: string, id: string, pacePerSecond: number | null, note: AuditNote | null): Promise<Job> {
    await this.get(owner, id);
    return found(id, await this.jobs.setPace(owner, id, pacePerSecond, note));
  }
}

function kindOf(owner: string): JobKindName {
  return owner === PLATFORM_TENANT_ID ? 'operator_dead_letter_replay' : 'dead_letter_replay';
}

function found(id: string, job: Job | null): Job {
  if (!job) throw notFound('replay', id);
  return job;
}
