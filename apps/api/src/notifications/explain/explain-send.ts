import { Injectable } from '@nestjs/common';
import { PlannedDeliveriesStore, toNewNotification } from '#database';
import { channelOf, newId, validationFailed } from '#domain';
import type { Caller } from '../../access/access.js';
import { CheckSend, localTimeErrors } from '../check-send.js';
import { LocalTimes, scheduledFor } from '../local-times.js';
import type { SendBody } from '../notification.schema.js';
import type { ExplanationView } from './explain.schema.js';
import { ExplainDelivery } from './explain-delivery.js';
import type { PlannedPass } from './planned-limits.js';

const TOPIC = { pointer: '/topic', code: 'not_explained', message: 'give the recipient_id of one subscriber instead' };

/** Runs the decisions of the pipeline for a send that is not made. Stores nothing and calls no provider. */
@Injectable()
export class ExplainSend {
  constructor(
    private readonly checkSend: CheckSend,
    private readonly localTimes: LocalTimes,
    private readonly planned: PlannedDeliveriesStore,
    private readonly explainDelivery: ExplainDelivery,
  ) {}

  /** Throws the errors of a send: `validation_failed`, `no_address`, `unknown_template`, with all errors at once. */
  async run(caller: Caller, body: SendBody): Promise<ExplanationView[]> {
    if (body.topic !== undefined) throw validationFailed([TOPIC]);
    const [localTime] = await this.localTimes.of(caller, body, [body]);
    const errors = [
      ...localTimeErrors(body, localTime),
      ...(await this.checkSend.request(caller, body)),
      ...(await this.checkSend.storedAddresses(caller, body, body)),
    ];
    if (errors.length > 0) throw validationFailed(errors);
    const send = toNewNotification(caller, scheduledFor(body, localTime), body, null);
    const { deliveries } = send;
    const inbox = { id: newId(), channel: 'in_app', address: null, addressFrom: null } as const;
    const all = [...deliveries, inbox];
    const [contexts, isBlocked] = await Promise.all([
      this.planned.contexts({ ...send, deliveries: all }),
      this.isBlocked(caller, body),
    ]);
    const inboxContext = deliveries.some(({ channel }) => channel === 'in_app') ? null : contexts.at(-1)!;
    const explained: ExplanationView[] = [];
    const passed: PlannedPass[] = [];
    let isDowngraded = false;
    // One after the other, because each may take a place that the next one needs.
    for (const [index, { id, channel }] of all.entries()) {
      if (id === inbox.id && !isDowngraded) break;
      const delivery = { id, channel: channelOf(channel), context: contexts[index]!, isBlocked, inboxContext };
      const found = await this.explainDelivery.run(delivery, passed);
      isDowngraded ||= found.isDowngraded;
      explained.push(found.view);
    }
    return explained;
  }

  private async isBlocked({ tenantId }: Caller, { ordering_key: key }: SendBody): Promise<boolean> {
    return key !== undefined && (await this.planned.isOrderingKeyBusy(tenantId, key));
  }
}
