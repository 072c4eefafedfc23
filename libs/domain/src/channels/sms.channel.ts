import { z } from 'zod';
import { smsSegments } from '../sms-segments.js';
import { defineChannel, faultBy, source } from './define-channel.js';

/** A low limit, because each segment costs money. */
const DEFAULT_MAX_SEGMENTS = 10;

/** The maximum number of characters in a segment (3GPP TS 23.040). */
const MAX_SEGMENT = 160;

/** ITU-T E.164: a plus, a country code that does not begin with 0, at most 15 digits in all. */
export const phoneNumber = z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be an E.164 number like +15005550000');

export const sms = defineChannel({
  id: 'sms',
  content: z.strictObject({ text: source }).meta({ id: 'SmsContent' }),
  fields: { text: 'text' },
  maxSourceBytes: 64 * 1024,
  addressFrom: 'phone',
  addressesOf: (recipient) => (recipient.phone ? [recipient.phone] : []),
  addressFault: faultBy(phoneNumber),
  messageFault: (message, { smsMaxSegments = DEFAULT_MAX_SEGMENTS }) => {
    const text = String(message['text']);
    // Too long in any alphabet, so the segments need not be counted.
    if (text.length > smsMaxSegments * MAX_SEGMENT)
      return `the text has ${text.length} characters, at most ${smsMaxSegments} segments are allowed`;
    const { segments } = smsSegments(text);
    return segments > smsMaxSegments
      ? `the text takes ${segments} segments, at most ${smsMaxSegments} are allowed`
      : null;
  },
  // An SMS costs money and cannot be recalled, so a person decides.
  unknownOutcome: 'hold',
  recipientLimit: { limit: 3, windowSeconds: 3_600 },
  sends: 'provider',
});
