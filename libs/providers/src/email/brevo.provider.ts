// Codes: https://developers.brevo.com/docs/how-it-works#error-codes.

import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, secret } from '../define-provider.js';
import { kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';
import { emailOf, partsOf, sender } from './email.js';

const MAX_IN_FLIGHT = 50;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  unauthorized: 'misconfigured',
  permission_denied: 'misconfigured',
  account_under_validation: 'misconfigured',
  not_enough_credits: 'misconfigured',
  too_many_requests: 'throttled',
};

export const brevo = defineProvider({
  id: 'brevo',
  name: 'Brevo',
  channels: ['email'],
  credentials: z.strictObject({
    api_key: secret('From SMTP & API, under API keys (xkeysib-…)'),
    from: sender,
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = `${account.endpoint ?? 'https://api.brevo.com'}/v3`;
    const headers = { 'api-key': account.api_key };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const answer = await http.ask({
          url: `${api}/smtp/email`,
          signal,
          headers,
          body: {
            sender: personOf(mail.from),
            to: [{ email: mail.to }],
            ...(mail.replyTo && { replyTo: personOf(mail.replyTo) }),
            subject: mail.subject,
            textContent: mail.text,
            ...(mail.html !== undefined && { htmlContent: mail.html }),
            headers: mail.headers,
          },
        });
        if (!answer.ok) throw toError(answer);
        if (typeof answer.json['messageId'] !== 'string') throw unreadable(answer);
        return { messageId: answer.json['messageId'] };
      },
      async verify({ signal }) {
        const answer = await http.ask({ method: 'GET', url: `${api}/account`, headers, signal });
        if (!answer.ok) throw toError(answer);
      },
    };
  },
});

function personOf(text: string): { email: string; name?: string } {
  const { address, name } = partsOf(text);
  return { email: address, ...(name && { name }) };
}

function toError(answer: VendorAnswer): Error {
  const { code, message } = answer.json as { code?: string; message?: string };
  // One code for every bad field: what it says tells which.
  const kind = code === 'invalid_parameter' ? kindOfField(message ?? '') : code && codes[code];
  return refused(answer, { kind: kind || kindOfStatus(answer.status), code, message });
}

function kindOfField(message: string): ProviderErrorKind {
  if (/\bto\b.*not valid|email is not valid in to/i.test(message)) return 'bad_address';
  return /sender/i.test(message) ? 'misconfigured' : 'rejected';
}
