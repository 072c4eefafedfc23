import { Injectable } from '@nestjs/common';
import { PlatformKeys, type RecipientChoices, RecipientChoicesStore } from '#database';
import { DomainError, notFound, type PreferenceLink, readPreferenceLink, signPreferenceLink } from '#domain';
import { RequestLimit } from '#rate-limit';
import { FailureLimit, sourceOf } from '../access/failure-limit.js';

/** Requests for one recipient in a minute. Not limited per address, because many people share one. */
const REQUESTS_PER_LINK = 120;
const DAY_SECONDS = 86_400;

export interface OpenedLink {
  link: PreferenceLink;
  choices: RecipientChoices;
  isExpired: boolean;
}

/** Signs and opens the links to preference pages. */
@Injectable()
export class PreferenceLinks {
  private readonly wrongLinks = new FailureLimit('wrong preference links');
  private readonly requests = new RequestLimit();

  constructor(
    private readonly keys: PlatformKeys,
    private readonly choices: RecipientChoicesStore,
  ) {}

  sign(link: PreferenceLink): string {
    return signPreferenceLink(this.keys.unsubscribeKey, link);
  }

  /** For the form on a page that was opened with another link. It ends with the next day in UTC. */
  forPage(recipient: Omit<PreferenceLink, 'expiresAt'>): string {
    const today = Math.floor(Date.now() / 1_000 / DAY_SECONDS);
    const { tenantId, recipientId, profileCreatedAt } = recipient;
    return this.sign({ tenantId, recipientId, profileCreatedAt, expiresAt: (today + 2) * DAY_SECONDS });
  }

  /**
   * Throws `not_found` for a link that is not ours and for an erased recipient, and `rate_limited` after too many wrong
   * links from an address or requests for one recipient.
   */
  async open(token: string, address: string): Promise<OpenedLink> {
    const link = readPreferenceLink(this.keys.unsubscribeKey, token);
    if (!link) throw this.wrongLinks.count(sourceOf(address), notFound('preferences link', token));
    const { tenantId, recipientId } = link;
    const { granted, resetSeconds } = this.requests.take(`${tenantId} ${recipientId}`, REQUESTS_PER_LINK);
    if (!granted)
      throw new DomainError('rate_limited', `This link may be used ${REQUESTS_PER_LINK} times a minute.`, {
        retryAfterSeconds: resetSeconds,
      });
    const choices = await this.choices.get(tenantId, recipientId);
    if (!choices || choices.profile?.createdAt.getTime() !== link.profileCreatedAt)
      throw notFound('preferences link', token);
    return { link, choices, isExpired: link.expiresAt * 1_000 <= Date.now() };
  }
}
