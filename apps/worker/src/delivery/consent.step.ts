import { Injectable } from '@nestjs/common';
import { refusal, StopPipeline } from '#domain';
import type { Consented, Loaded } from './pipeline-context.js';

/** Suppresses a delivery that the recipient has opted out of, or whose address or tenant may not be used. */
@Injectable()
export class ConsentStep {
  async run(loaded: Loaded): Promise<Consented> {
    const { tenant, category, channelSwitches, categoryPreference, suppression } = loaded.context;
    const reason = refusal({
      tenantStatus: tenant.status,
      channel: loaded.channel.id,
      category,
      channelSwitches,
      categoryPreference,
      suppression,
    });
    if (!reason) return { ...loaded, consented: true };
    const detail = reason === 'suppression_list' ? `the address is on the suppression list: ${suppression}` : undefined;
    throw new StopPipeline({ kind: 'suppressed', reason, ...(detail && { detail }) });
  }
}
