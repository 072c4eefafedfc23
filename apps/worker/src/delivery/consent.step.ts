import { refusal, StopPipeline } from '#domain';
import type { Consented, Loaded } from './pipeline-context.js';

/** Does the recipient want it, on this channel, and may the address be used at all? */
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
