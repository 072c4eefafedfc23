import { Injectable } from '@nestjs/common';
import { DigestsStore } from '#database';
import { StopPipeline } from '#domain';
import type { Consented, Digested } from '../pipeline-context.js';

/**
 * Closes the digest that a delivery leads, so that later items are collected into another one, and fixes the items of
 * its message. Comes after the consent step: a digest that quiet hours hold still collects.
 */
@Injectable()
export class CloseDigestStep {
  constructor(private readonly digests: DigestsStore) {}

  async run(consented: Consented): Promise<Digested> {
    if (consented.delivery.digestId === null) return { ...consented, digest: null };
    const digest = await this.digests.close(consented.delivery);
    if (!digest) throw new StopPipeline({ kind: 'claim_lost', detail: 'the claim on the digest was lost' });
    const isAlone = digest.deliveryIds.length === 1 && (digest.combined || !consented.context.category?.digest);
    return { ...consented, digest: isAlone ? null : digest };
  }
}
