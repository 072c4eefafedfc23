import { Injectable } from '@nestjs/common';
import { PlannedDeliveriesStore, toNewNotification } from '#database';
import { channelOf } from '#domain';
import type { Caller } from '../../access/access.js';
import { validationFailed } from '../../http/request-schema.pipe.js';
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
    const [contexts, isBlocked] = await Promise.all([this.planned.contexts(send), this.isBlocked(caller, body)]);
    const { deliveries } = send;
    const explained: ExplanationView[] = [];
    const passed: PlannedPass[] = [];
    // One after the other, because each may take a place that the next one needs.
    for (const [index, { id, channel }] of deliveries.entries()) {
      const delivery = { id, channel: channelOf(channel), context: contexts[index]!, isBlocked };
      explained.push(await this.explainDelivery.run(delivery, passed));
    }
    return explained;
  }

  private async isBlocked({ tenantId }: Caller, { ordering_key: key }: SendBody): Promise<boolean> {
    return key !== undefined && (await this.planned.isOrderingKeyBusy(tenantId, key));
  }
}
