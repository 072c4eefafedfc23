import { MAX_PREFERENCE_CATEGORIES } from '../consent.js';
import { type DomainError, validationFailed } from '../errors.js';

/**
 * The JSON of the attributes of one recipient. Workers load it with every delivery to the recipient, hundreds of
 * deliveries at once.
 */
export const MAX_ATTRIBUTES_BYTES = 64 * 1024;

/** Devices of one recipient: a push is one request to the provider for each. */
export const MAX_DEVICES = 400;

/** `pointer`: where the request has what is too much. */
export const attributesTooLarge = (pointer: string): DomainError =>
  tooMuch(pointer, 'too_large', `more than ${MAX_ATTRIBUTES_BYTES} bytes of JSON`);

export const tooManyDevices = (pointer: string): DomainError =>
  tooMuch(pointer, 'too_many_devices', `more than ${MAX_DEVICES} devices`);

export const tooManyCategories = (pointer: string): DomainError =>
  tooMuch(pointer, 'too_many_categories', `more than ${MAX_PREFERENCE_CATEGORIES} categories`);

const tooMuch = (pointer: string, code: string, what: string): DomainError =>
  validationFailed([{ pointer, code, message: `together with those that the recipient has, there are ${what}` }]);
