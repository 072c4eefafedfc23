import { Halt, refusal } from '#domain';
import type { Consented, Loaded } from './stages.js';

/** Does the recipient want it, on this channel? */
export class ConsentStep {
  async run(loaded: Loaded): Promise<Consented> {
    const reason = refusal({
      tenantStatus: loaded.context.tenant.status,
      channel: loaded.channel.id,
      channelSwitches: loaded.context.channelSwitches,
    });
    if (reason) throw new Halt({ kind: 'suppressed', reason });
    return { ...loaded, consented: true };
  }
}
