import { Injectable } from '@nestjs/common';
import { AccountPacesStore } from '#database';
import type { Outcome } from '#domain';
import { ProviderDirectory, type Sender } from '#providers';
import type { Rendered } from '../pipeline-context.js';
import { AttemptSend } from './attempt-send.js';
import { chooseAccounts, reachedAddresses } from './choose-accounts.js';
import { holdForPace, holdUntilAvailable } from './hold-send.js';

/** A reserved time nearer than this is taken at once: returning through the queue would take longer. */
const SEND_AT_ONCE_SECONDS = 0.02;

/**
 * Sends the message through the first account that can. In-app needs no provider: the record step inserts the inbox
 * row, and that is the send.
 */
@Injectable()
export class SendStep {
  constructor(
    private readonly directory: ProviderDirectory,
    private readonly paces: AccountPacesStore,
    private readonly attemptSend: AttemptSend,
  ) {}

  async run(rendered: Rendered): Promise<Outcome> {
    if (rendered.channel.sends === 'inbox') return toInbox(rendered);
    const { tenantId, channel } = rendered.delivery;
    const { notification, tenant } = rendered.context;
    const target = { tenantId, channel, isSandboxed: tenant.isSandboxed, endpointId: notification.endpointId };
    return await this.directory.withSenders(target, (senders) => this.sendThrough(senders, rendered));
  }

  private async sendThrough(senders: readonly Sender[], rendered: Rendered): Promise<Outcome> {
    const { ready, candidates } = chooseAccounts(senders, rendered);
    for (const [index, sender] of ready.entries()) {
      const paceSeconds = await this.reservePace(sender, rendered);
      if (paceSeconds > SEND_AT_ONCE_SECONDS) return holdForPace(sender, paceSeconds);
      const addressed = { ...rendered, addresses: reachedAddresses(sender, rendered), sender };
      const outcome = await this.attemptSend.run(addressed, index + 1 < ready.length);
      if (outcome !== 'try_next') return outcome;
    }
    this.attemptSend.noteLackOfCapacity(rendered);
    // After tries, only the last account is known to be unavailable now.
    const unavailable = ready.length > 0 ? ready.slice(-1) : candidates;
    return holdUntilAvailable(unavailable, rendered.context.notification.endpointId !== null);
  }

  /** Reserves the next time in the account's pace, once per delivery. Returns the seconds until then. */
  private async reservePace(sender: Sender, { delivery }: Rendered): Promise<number> {
    if (!sender.account || sender.pacePerSecond === null || delivery.paceReserved) return 0;
    const { tenantId, id } = sender.account;
    return await this.paces.reserve({ tenantId, accountId: id, perSecond: sender.pacePerSecond });
  }
}

function toInbox({ context, message, templateVersion }: Rendered): Outcome {
  const { recipientId, category } = context.notification;
  const content = message as { title: string; body: string; action_url?: string; data?: Record<string, string> };
  const { title, body, action_url: actionUrl = null, data = null } = content;
  return { kind: 'in_inbox', row: { recipientId, category, title, body, actionUrl, data }, templateVersion };
}
