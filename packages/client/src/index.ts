export { Carillon, type CarillonOptions } from './carillon.js';
export { CarillonError, type FieldError, type LocalCode } from './carillon-error.js';
export type * from './generated/types.gen.js';
export type { RetrySettings } from './retrying-fetch.js';
export { verifyWebhook, WebhookVerificationError } from './verify-webhook.js';
