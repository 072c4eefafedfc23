import { Batcher } from '../../../batcher.js';
import type { Database } from '../../../database.js';
import type { ClaimedDelivery } from '../../queue/claimed-delivery.js';
import { type ClosedDigest, closeDigests } from './digest-statements.js';

/** Closes digests for their message. Runs as the platform, because one batch has digests of many tenants. */
export class DigestsStore {
  private readonly batcher: Batcher<ClaimedDelivery, ClosedDigest | null>;

  constructor(database: Database) {
    this.batcher = new Batcher({
      flush: (leaders) => closeDigests(database.platform, leaders),
      slots: 1,
      maxBatch: 200,
      maxQueue: 100_000,
      repeatable: true,
    });
  }

  /**
   * Closes the digest that a claimed delivery leads: later items are collected into another one. Can be repeated; the
   * list then lacks the items that were cancelled in between. Null if the claim was lost.
   */
  async close(leader: ClaimedDelivery): Promise<ClosedDigest | null> {
    return await this.batcher.run(leader);
  }
}
