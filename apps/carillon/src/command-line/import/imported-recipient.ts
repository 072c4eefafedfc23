// A recipient as the exports of other products describe it, in Carillon's words.

import { z } from 'zod';
import {
  type ChannelId,
  emailAddress,
  localeTag,
  MAX_DEVICE_TOKEN_BYTES,
  phoneNumber,
  timezone,
  validationMessage,
} from '#domain';
import { isObject } from './read-rows.js';

export interface Choice {
  enabled?: boolean;
  channels?: Partial<Record<ChannelId, boolean>>;
}

export interface Choices {
  channels: Partial<Record<ChannelId, boolean>>;
  categories: Record<string, Choice>;
}

export interface Device {
  token: string;
  platform: 'ios' | 'android' | 'web';
}

export interface ImportedRecipient {
  id: string;
  /** Null for a row that has only preferences. Only the fields that the row has. */
  profile: Record<string, unknown> | null;
  choices: Choices | null;
  devices: Device[];
  /** The parts of the row that Carillon does not take, such as `field isOnline`. */
  notImported: string[];
}

export interface MappingOptions {
  /** Of devices whose row does not say it. */
  devicePlatform?: Device['platform'];
}

/** Turns a row into a recipient. Throws `RowFault`. */
export type Mapping = (row: Record<string, unknown>, options: MappingOptions) => ImportedRecipient;

export class RowFault extends Error {}

const profileSchema = z.object({
  email: emailAddress.optional(),
  phone: phoneNumber.optional(),
  locale: localeTag.optional(),
  timezone: timezone.optional(),
});

/** The fields of a profile that are given. Throws `RowFault` for those that the API would refuse. */
export function profileOf(
  fields: Record<string, unknown>,
  attributes: Record<string, unknown>,
): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => isGiven(value)));
  const { error } = profileSchema.safeParse(given, { error: validationMessage });
  if (error)
    throw new RowFault(error.issues.map(({ path, message }) => faultOf(path.join('.'), message, given)).join('; '));
  const givenAttributes = Object.fromEntries(Object.entries(attributes).filter(([, value]) => isGiven(value)));
  return { ...given, ...(Object.keys(givenAttributes).length > 0 && { attributes: givenAttributes }) };
}

function faultOf(name: string, message: string, given: Record<string, unknown>): string {
  const value = JSON.stringify(given[name]);
  return `${name} ${message}, got ${value.length > 80 ? `${value.slice(0, 77)}...` : value}`;
}

/** Null and an empty text are how exports show that there is nothing. */
export function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined && value !== '';
}

export function idOf(row: Record<string, unknown>, name: string): string {
  const given = row[name];
  // JSON.parse has rounded it, so it may be the id of another.
  if (typeof given === 'number' && !Number.isSafeInteger(given))
    throw new RowFault(`${name} must be a text or a whole number below 2^53`);
  const id = typeof given === 'number' ? String(given) : given;
  if (typeof id !== 'string' || id === '') throw new RowFault(`has no ${name}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the API refuses them
  if (id.length > 255 || /[\u0000-\u001f\u007f-\u009f]/.test(id))
    throw new RowFault(`${name} must be 1 to 255 printable characters`);
  if (!id.isWellFormed()) throw new RowFault(`${name} has half of a surrogate pair`);
  // In the path of a request, such as the one that reads the recipient, they name another route.
  if (id === '.' || id === '..') throw new RowFault(`${name} must not be ${id}`);
  return id;
}

/** Tags such as `en_US` become `en-US`. */
export function localeOf(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('_', '-') : value;
}

const CHANNELS: Record<string, ChannelId> = {
  email: 'email',
  sms: 'sms',
  push: 'push',
  chat: 'chat',
  in_app: 'in_app',
  in_app_feed: 'in_app',
  http: 'webhook',
};

/** `{email: true, in_app_feed: false}` by Carillon's channels. Notes what it does not know. */
export function channelsOf(value: unknown, notImported: string[]): Partial<Record<ChannelId, boolean>> {
  const channels: Partial<Record<ChannelId, boolean>> = {};
  for (const [name, choice] of Object.entries(isObject(value) ? value : {})) {
    const channel = Object.hasOwn(CHANNELS, name) ? CHANNELS[name] : undefined;
    if (channel && typeof choice === 'boolean') channels[channel] = choice;
    else if (choice !== null) notImported.push(`preference for ${channel ? `${name} with conditions` : name}`);
  }
  return channels;
}

const TOO_LONG = `device token of more than ${MAX_DEVICE_TOKEN_BYTES.toLocaleString('en')} bytes`;

/** The tokens of devices that the API takes, each once. Notes the others. */
export function tokensOf(values: readonly unknown[], notImported: string[]): string[] {
  const tokens = new Set<string>();
  for (const value of values) {
    if (typeof value !== 'string' || value === '') notImported.push('device token that is not a text');
    else if (Buffer.byteLength(value) > MAX_DEVICE_TOKEN_BYTES) notImported.push(TOO_LONG);
    else tokens.add(value);
  }
  return [...tokens];
}

/** The choices as an object. Notes the key `__proto__`, which JSON parsers of servers drop or refuse. */
export function categoriesOf(choices: ReadonlyMap<string, Choice>, notImported: string[]): Record<string, Choice> {
  if (choices.has('__proto__')) notImported.push('preference for __proto__');
  return Object.fromEntries([...choices].filter(([key]) => key !== '__proto__'));
}

/** Notes a field that has another type than the export of the product, such as JSON in a cell of CSV. */
export function noteType(name: string, value: unknown, notImported: string[]): void {
  if (isGiven(value) && typeof value !== 'object') notImported.push(`field ${name} that is not an object or a list`);
}

/** Notes the fields of the row that no one reads. */
export function noteFields(row: Record<string, unknown>, known: ReadonlySet<string>, notImported: string[]): void {
  for (const [name, value] of Object.entries(row))
    if (!known.has(name) && isGiven(value)) notImported.push(`field ${name}`);
}
