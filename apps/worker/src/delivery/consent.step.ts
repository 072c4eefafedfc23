import { Injectable } from '@nestjs/common';
import { decideConsent, StopPipeline } from '#domain';
import type { Consented, Loaded } from './pipeline-context.js';

/** Suppresses a delivery that the recipient has opted out of, or whose address or tenant may not be used. */
@Injectable()
export class ConsentStep {
  async run(loaded: Loaded): Promise<Consented> {
    const { allowed, reason, rule } = decideConsent(loaded.context, loaded.channel.id);
    if (allowed) return { ...loaded, consented: true };
    const { suppression } = loaded.context;
    const detail = reason === 'suppression_list' ? `the address is on the suppression list: ${suppression}` : undefined;
    throw new StopPipeline({ kind: 'suppressed', reason, rule, ...(detail && { detail }) });
  }
}
