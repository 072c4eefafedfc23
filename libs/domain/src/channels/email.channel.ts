import { z } from 'zod';
import { defineChannel, faultBy, lineSource, source } from './define-channel.js';

/** At most 64 characters before the @, and 254 in all (RFC 5321, 4.5.3.1). */
export const emailAddress = z
  .email({
    error: 'must be one e-mail address',
    pattern: new RegExp(`^(?=[^@]{1,64}@)${z.regexes.email.source.slice(1)}`),
  })
  .max(254);

export const email = defineChannel({
  id: 'email',
  content: z
    .strictObject({
      subject: lineSource,
      html: source.optional(),
      text: source.optional(),
      from: lineSource.optional(),
      reply_to: lineSource.optional(),
    })
    .refine((content) => content.html !== undefined || content.text !== undefined, {
      message: 'one of html or text is needed',
      path: ['text'],
    })
    .meta({ id: 'EmailContent' }),
  fields: { subject: 'line', html: 'html', text: 'text', from: 'line', reply_to: 'line' },
  textFrom: { text: 'text', html: 'html' },
  maxSourceBytes: 256 * 1024,
  addressFrom: 'email',
  addressesOf: (recipient) => (recipient.email ? [recipient.email] : []),
  addressFault: faultBy(emailAddress),
  unknownOutcome: 'resend',
  recipientLimit: { limit: 10, windowSeconds: 3_600 },
  sends: 'provider',
});
