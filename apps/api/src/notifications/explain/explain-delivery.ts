import { Injectable } from '@nestjs/common';
import { type DeliveryContext, PlannedDeliveriesStore } from '#database';
import {
  addressesFor,
  type Channel,
  type ChannelId,
  type Collecting,
  type DecidingRule,
  decideConsent,
  decideDigest,
  decideQuietHours,
  firstTimezone,
  inAppContent,
  isRecipientsChoice,
  mayJoinDigest,
  type QuietDecision,
  refusedByConsent,
  type SuppressedReason,
} from '#domain';
import type { ExplanationView } from './explain.schema.js';
import { type PlannedLimits, type PlannedPass, passOf, ReadPlannedLimits } from './planned-limits.js';
import { FindProviderOrder, type ProviderOrder } from './provider-order.js';
import { type PlannedMessage, RenderPlanned } from './render-planned.js';
import { EXPIRED, SENT, suppressedAs, toView, type Verdict, waiting } from './verdict.js';

export interface PlannedDelivery {
  id: string;
  channel: Channel;
  context: DeliveryContext;
  /** An earlier delivery with the same ordering key has not ended. */
  isBlocked: boolean;
  /** Of an item for the inbox that may replace it; null if the notification goes to the inbox anyway. */
  inboxContext: DeliveryContext | null;
}

export interface Explained {
  view: ExplanationView;
  isDowngraded: boolean;
}

interface Facts extends PlannedDelivery {
  rendered: PlannedMessage;
  order: ProviderOrder;
  limits: PlannedLimits;
  /** When the digest is due that the delivery would join; null if it would begin one, or none. */
  openDigestDueAt: Date | null;
}

/** Decides about deliveries that are not made, in the order of the pipeline. */
@Injectable()
export class ExplainDelivery {
  constructor(
    private readonly rendering: RenderPlanned,
    private readonly providerOrder: FindProviderOrder,
    private readonly readLimits: ReadPlannedLimits,
    private readonly planned: PlannedDeliveriesStore,
  ) {}

  /** `passed`: the earlier deliveries of the same send that take places of limits. Adds this one if it takes some. */
  async run(planned: PlannedDelivery, passed: PlannedPass[]): Promise<Explained> {
    const { channel, context } = planned;
    const id = channel.id as ChannelId;
    const canUnsubscribe = id === 'email' && isRecipientsChoice(decideConsent(context, id).rule);
    const rendered = await this.rendering.run(channel, context, canUnsubscribe);
    const addresses = addressesFor(channel, context.address, context.recipient);
    const order = await this.providerOrder.run(channel, context, addresses, rendered.message);
    const limits = await this.readLimits.run(id, context, passed);
    const mayCollect = context.category?.digest || context.category?.onHold === 'combine';
    const openDigestDueAt = mayCollect ? await this.planned.openDigestDueAt(context, id) : null;
    const facts = { ...planned, rendered, order, limits, openDigestDueAt };
    const first = untilExpiry(notDue(planned) ?? decideAt(facts, context.loadedAt), context);
    const later = first.state === 'waiting' ? laterThan(facts, first) : null;
    if (first === SENT) passed.push(passOf(id, context));
    const { templateVersion, message, errors } = rendered;
    const view = {
      channel: id,
      recipient_id: context.notification.recipientId,
      ...toView(first),
      when_due: later && toView(later),
      provider_order: order.view,
      caps: limits.view,
      template_version: templateVersion,
      message,
      errors,
    };
    return { view, isDowngraded: first.isDowngraded };
  }
}

/** The decision when a waiting delivery is due; null for an item of a digest, which is sent in another message. */
function laterThan(facts: Facts, { reason, dueAt }: Verdict): Verdict | null {
  const { expiresAt } = facts.context.notification;
  if (dueAt !== null && expiresAt !== null && dueAt >= expiresAt) return EXPIRED;
  return reason === 'digest' || dueAt === null ? null : decideAt(facts, dueAt);
}

/** A wait ends at `expires_at` at the latest, so that the delivery is seen as expired when it expires. */
function untilExpiry(verdict: Verdict, { notification: { expiresAt } }: DeliveryContext): Verdict {
  const isLater = expiresAt !== null && verdict.dueAt !== null && verdict.dueAt >= expiresAt;
  return isLater ? { ...verdict, dueAt: expiresAt } : verdict;
}

/** The reason why no worker claims the delivery yet. */
function notDue({ context, isBlocked }: PlannedDelivery): Verdict | null {
  const { scheduledAt } = context.notification;
  if (scheduledAt !== null && scheduledAt > new Date()) return waiting('scheduled', 'send.scheduled_at', scheduledAt);
  return isBlocked ? waiting('ordering', 'send.ordering_key', null) : null;
}

/** The decision of the pipeline's steps at a time. */
function decideAt(facts: Facts, at: Date): Verdict {
  const { rendered, order, limits } = facts;
  if (rendered.missing) return rendered.missing;
  const refused = refusedByConsent(facts.context, facts.channel.id as ChannelId);
  if (refused) return suppressedAs(refused);
  const collected = collectedAs(facts, at);
  if (collected) return collected;
  const quiet = decideQuietHours(facts.context, facts.channel.id as ChannelId, at);
  if (quiet) return keptBack(facts, quiet) ?? heldAs(facts, quiet, at);
  const limited = limits.refusalAt(at);
  if (limited) return keptBack(facts, limited) ?? limited.held;
  return rendered.failure ?? order.verdict ?? SENT;
}

/** The wait of a delivery that its category collects into a digest; null if it is sent by itself. */
function collectedAs(facts: Facts, at: Date): Verdict | null {
  const collected = decideDigest(collectingOf(facts), at);
  if (!collected) return null;
  const { due, reason, rule, detail } = collected;
  const ownDueAt = 'at' in due ? due.at : new Date(at.getTime() + due.seconds * 1_000);
  return waiting(reason, rule, dueInDigest(facts, at) ?? ownDueAt, detail);
}

/** The wait of a delivery that quiet hours hold, by itself or as an item of a digest. */
function heldAs(facts: Facts, { action, reason, rule, until, detail }: QuietDecision, at: Date): Verdict {
  const joins = action === 'combine' && mayJoinDigest(collectingOf(facts));
  return waiting(reason, rule, (joins ? dueInDigest(facts, at) : null) ?? until, detail);
}

/** Of the digest that is open now; by the time that it is due, it is closed. */
function dueInDigest({ openDigestDueAt }: Facts, at: Date): Date | null {
  return openDigestDueAt !== null && openDigestDueAt > at ? openDigestDueAt : null;
}

function collectingOf({ context }: PlannedDelivery): Collecting {
  return {
    policy: context.category?.digest ?? null,
    hasTemplate: context.digestTemplateHeads.length > 0,
    isCollected: false,
    hasBegun: false,
    isOrdered: context.notification.orderingKey !== null,
    hasOwnAddress: context.address !== null,
    timezone: firstTimezone(context.recipient?.timezone, context.tenant.settings.timezone),
  };
}

interface Excess {
  action: string;
  reason: SuppressedReason;
  rule: DecidingRule;
  detail: string;
}

/** The decision about a delivery that its category drops or moves to the inbox; null if it is held. */
function keptBack({ context, inboxContext }: PlannedDelivery, excess: Excess): Verdict | null {
  const { action, reason, rule, detail } = excess;
  const suppressed = suppressedAs({ reason, rule, detail });
  if (action === 'drop') return suppressed;
  if (action !== 'downgrade') return null;
  if (inboxContext === null) return suppressed;
  const { content } = context.notification;
  const hasContent = content ? inAppContent(content) !== null : inboxContext.templateHeads.length > 0;
  return hasContent ? { ...suppressed, isDowngraded: true } : null;
}
