import { Injectable } from '@nestjs/common';
import { AcceptStore, type NewNotification, toNewNotification } from '#database';
import { noAddressErrors, validationFailed } from '#domain';
import type { Caller } from '../access/access.js';
import { type AcceptResult, replayOf } from './accept-result.js';
import { AcceptTopicSend } from './accept-topic-send.js';
import { CheckSend, localTimeErrors } from './check-send.js';
import { LocalTimes, scheduledFor } from './local-times.js';
import type { SendBody } from './notification.schema.js';

/**
 * Accepts one send: checks it, then commits the notification with its deliveries and its idempotency key. A send to a
 * topic is accepted by AcceptTopicSend.
 */
@Injectable()
export class AcceptNotification {
  constructor(
    private readonly store: AcceptStore,
    private readonly checkSend: CheckSend,
    private readonly acceptTopicSend: AcceptTopicSend,
    private readonly localTimes: LocalTimes,
  ) {}

  /**
   * Throws `validation_failed`, `no_address`, `unknown_template` with all errors at once, `idempotency_mismatch`,
   * `unavailable`.
   */
  async run(caller: Caller, body: SendBody, idempotency: NewNotification['idempotency']): Promise<AcceptResult> {
    const { topic } = body;
    if (topic !== undefined) return await this.acceptTopicSend.run(caller, { ...body, topic }, idempotency);
    const [localTime] = await this.localTimes.of(caller, body, [body]);
    const errors = [...(await this.checkSend.request(caller, body)), ...localTimeErrors(body, localTime)];
    if (errors.length > 0) {
      // A replay is answered even if the request no longer validates, for example because a template was deleted.
      const replay = await replayOf(this.store, caller.tenantId, idempotency);
      if (replay) return replay;
      // The accept statement checks addresses; checked here only to report them together with other errors.
      throw validationFailed([...errors, ...(await this.checkSend.storedAddresses(caller, body, body))]);
    }
    const newNotification = toNewNotification(caller, scheduledFor(body, localTime), body, idempotency);
    const result = await this.store.accept(newNotification);
    if (result.kind === 'no_address') throw validationFailed(noAddressErrors(body, result.channels));
    if (result.kind === 'replayed') return result;
    const { notification, deliveries } = newNotification;
    return {
      kind: 'accepted',
      first: { notification: { ...notification, topic: null, createdAt: result.createdAt }, deliveries },
    };
  }
}
