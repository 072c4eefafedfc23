import { Injectable } from '@nestjs/common';
import { AcceptStore, type FirstAnswer, type NewNotification, TopicSendsStore, toTopicSend } from '#database';
import { DomainError, validationFailed } from '#domain';
import type { Caller } from '../access/access.js';
import { type AcceptResult, replayOf } from './accept-result.js';
import { CheckSend, timeErrors } from './check-send.js';
import type { SendBody } from './notification.schema.js';

export type TopicSendBody = SendBody & { topic: string };

/** Accepts one send to a topic. A job creates the deliveries. */
@Injectable()
export class AcceptTopicSend {
  constructor(
    private readonly store: TopicSendsStore,
    private readonly acceptStore: AcceptStore,
    private readonly checkSend: CheckSend,
  ) {}

  /** Throws `validation_failed`, `unknown_template`, `idempotency_mismatch`, `unavailable`. */
  async run(caller: Caller, body: TopicSendBody, idempotency: NewNotification['idempotency']): Promise<AcceptResult> {
    // First, because a replay is answered even if the request no longer validates.
    const replay = await replayOf(this.acceptStore, caller.tenantId, idempotency);
    if (replay) return replay;
    const errors = [...timeErrors(body), ...(await this.checkSend.message(caller, body, body.payload))];
    if (errors.length > 0) throw validationFailed(errors);
    const topicSend = toTopicSend(caller, body, idempotency);
    const result = await this.store.accept(topicSend);
    if (result.kind === 'accepted') return { kind: 'accepted', first: firstAnswerOf(topicSend, result.createdAt) };
    if (result.kind === 'unknown_topic') throw unknownTopic(body.topic);
    return await this.run(caller, body, idempotency);
  }
}

function unknownTopic(topic: string): DomainError {
  const message = `there is no topic ${JSON.stringify(topic)}`;
  return validationFailed([{ pointer: '/topic', code: 'unknown_topic', message }]);
}

function firstAnswerOf(topicSend: ReturnType<typeof toTopicSend>, createdAt: Date): FirstAnswer {
  const { send } = topicSend;
  return {
    notification: {
      tenantId: topicSend.tenantId,
      id: topicSend.id,
      recipientId: null,
      topic: topicSend.topic,
      type: send.type ?? null,
      category: send.category,
      channels: topicSend.channels,
      templateId: send.template_id ?? null,
      priority: send.priority,
      orderingKey: send.ordering_key ?? null,
      metadata: send.metadata ?? null,
      scheduledAt: topicSend.scheduledAt,
      expiresAt: topicSend.expiresAt,
      endpointId: null,
      createdAt,
    },
    deliveries: [],
  };
}
