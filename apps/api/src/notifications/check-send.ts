import { Injectable } from '@nestjs/common';
import { KnownTemplates, type RecipientAddresses, RecipientsStore } from '#database';
import {
  addressNeeded,
  channelOf,
  channelsOf,
  type FieldError,
  noAddressErrors,
  type RecipientPart,
  recipientIdOf,
  type SharedPart,
} from '#domain';
import type { Caller } from '../access/access.js';
import { withValue } from '../http/request-schema.pipe.js';
import { CheckContent } from '../templates/check-content.js';
import { CheckPayload, type PayloadSchemas } from '../templates/check-payload.js';

const YEAR_MS = 366 * 24 * 3_600_000;
const NO_ADDRESSES: RecipientAddresses = { email: null, phone: null, locale: null, devices: [] };

/** The checks of a send that need more than its schema. Each returns all errors that it finds. */
@Injectable()
export class CheckSend {
  constructor(
    private readonly recipients: RecipientsStore,
    private readonly templates: KnownTemplates,
    private readonly contentChecks: CheckContent,
    private readonly checkPayload: CheckPayload,
  ) {}

  /** All checks of a single send that read no profile. */
  async request(caller: Caller, body: SharedPart & RecipientPart): Promise<FieldError[]> {
    const errors = await this.message(caller, body, body.payload);
    return [...timeErrors(body), ...givenAddressErrors(body, body), ...errors];
  }

  /** Checks that the content is valid, or that the template exists, for every channel. */
  async content({ tenantId }: Caller, body: SharedPart): Promise<FieldError[]> {
    const channels = channelsOf(body);
    const { content } = body;
    if (content) {
      const errors = channels.map((channel) => this.contentChecks.run(tenantId, channel, content));
      return (await Promise.all(errors)).flat();
    }
    const found = await Promise.all(
      channels.map((channel) => this.templates.schemas(tenantId, body.template_id!, channel)),
    );
    const missing = channels.filter((_, index) => !found[index]);
    if (missing.length === 0) return [];
    const message = `there is no template ${JSON.stringify(body.template_id)} for ${missing.join(', ')}`;
    return [{ pointer: '/template_id', code: 'unknown_template', message }];
  }

  /** Checks the content, or that the template exists and the payload matches its schemas. */
  async message(caller: Caller, body: SharedPart, payload: RecipientPart['payload']): Promise<FieldError[]> {
    const errors = await this.content(caller, body);
    return errors.length > 0 ? errors : await this.payload(caller, body, payload);
  }

  /** Checks the part that all recipients of a bulk send share. */
  async shared(caller: Caller, body: SharedPart, payload: RecipientPart['payload']): Promise<FieldError[]> {
    const errors = [...timeErrors(body), ...(await this.content(caller, body))];
    if (errors.length > 0 || payload === undefined) return errors;
    return this.checkPayload.sharedErrors(await this.payloadSchemas(caller, body), payload);
  }

  /**
   * Checks the payload of one recipient, with the `shared` payload of a bulk send, against the schemas of a template
   * that exists.
   */
  async payload(
    caller: Caller,
    body: SharedPart,
    payload: RecipientPart['payload'],
    shared?: RecipientPart['payload'],
  ): Promise<FieldError[]> {
    const schemas = await this.payloadSchemas(caller, body);
    return schemas.length === 0 ? [] : await this.checkPayload.run(caller.tenantId, schemas, payload, shared);
  }

  /** None for inline content. */
  private async payloadSchemas({ tenantId }: Caller, body: SharedPart): Promise<PayloadSchemas> {
    const { template_id: templateId } = body;
    return templateId === undefined ? [] : await this.checkPayload.schemasOf(tenantId, templateId, channelsOf(body));
  }

  /** Checks that the stored profile has an address for every channel whose address is not in the request. */
  async storedAddresses({ tenantId }: Caller, shared: SharedPart, item: RecipientPart): Promise<FieldError[]> {
    const needed = channelsOf(shared).filter((channel) => addressNeeded(channel, item));
    if (needed.length === 0) return [];
    const stored = (await this.recipients.addressesOf(tenantId, recipientIdOf(item))) ?? NO_ADDRESSES;
    const missing = needed.filter((channel) => channelOf(channel).addressesOf(stored).length === 0);
    return noAddressErrors(item, missing);
  }
}

/** Checks the address in the request itself. */
export function givenAddressErrors(shared: SharedPart, item: RecipientPart): FieldError[] {
  if (item.recipient_address === undefined) return [];
  const pointer = '/recipient_address';
  const channels = channelsOf(shared);
  if (channels.length > 1) {
    const message = `one address cannot serve ${channels.length} channels (${channels.join(', ')})`;
    return [{ pointer, code: 'ambiguous', message }];
  }
  const message = channelOf(channels[0]!).addressFault(item.recipient_address);
  return message ? [{ pointer, code: 'bad_address', message: withValue(message, item.recipient_address) }] : [];
}

export function timeErrors(shared: SharedPart): FieldError[] {
  const { scheduled_at: scheduledAt, scheduled_at_local: local, expires_at: expiresAt } = shared;
  const errors: FieldError[] = [];
  const now = Date.now();
  const checkYear = (pointer: string, text: string | undefined, time: number | null): void => {
    const message = withValue('may be at most one year ahead', text);
    if (time !== null && time > now + YEAR_MS) errors.push({ pointer, code: 'too_far', message });
  };
  // As if it were UTC: less than a day wrong in any zone.
  checkYear('/scheduled_at_local', local, local === undefined ? null : Date.parse(`${local}Z`));
  const scheduled = scheduledAt === undefined ? null : Date.parse(scheduledAt);
  const expires = expiresAt === undefined ? null : Date.parse(expiresAt);
  checkYear('/scheduled_at', scheduledAt, scheduled);
  if (expires !== null && expires <= now)
    errors.push({
      pointer: '/expires_at',
      code: 'in_the_past',
      message: withValue('must be in the future', expiresAt),
    });
  else if (expires !== null && scheduled !== null && expires <= scheduled)
    errors.push({ pointer: '/expires_at', code: 'before_schedule', message: 'must be after scheduled_at' });
  return errors;
}

/** Compares with `scheduled_at_local`, given the instant that it is for the recipient. */
export function localTimeErrors({ expires_at: expiresAt }: SharedPart, localTime: Date | undefined): FieldError[] {
  if (!localTime || expiresAt === undefined || Date.parse(expiresAt) > localTime.getTime()) return [];
  const message = `must be after scheduled_at_local, which is ${localTime.toISOString()} for this recipient`;
  return [{ pointer: '/expires_at', code: 'before_schedule', message }];
}

/** The checks of one recipient of a bulk send or an upload that read nothing. */
export function itemErrors(shared: SharedPart, item: RecipientPart, localTime: Date | undefined): FieldError[] {
  return [...localTimeErrors(shared, localTime), ...givenAddressErrors(shared, item)];
}
