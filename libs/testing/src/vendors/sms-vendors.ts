import { randomBytes } from 'node:crypto';
import { commonRefusals, refuses, type VendorDescription } from './http-vendor.js';

const SECRET = 'a-secret-of-the-account-1234567890';
const sid = (letters: string): string => letters + randomBytes(16).toString('hex');
const twilioError = (code: number, message: string) => ({
  code,
  message,
  more_info: 'https://www.twilio.com/docs/errors',
  status: 400,
});

export const twilioVendor: VendorDescription = {
  id: 'twilio',
  credentials: (endpoint) => ({ account_sid: sid('AC'), auth_token: SECRET, from: '+15005550006', endpoint }),
  secrets: [SECRET],
  to: '+4915112345678',
  isSend: ({ path }) => path.endsWith('/Messages.json'),
  accept: () => ({ status: 201, body: { sid: sid('SM'), status: 'queued', error_code: null } }),
  other: () => ({ status: 200, body: { status: 'active' } }),
  refusals: {
    ...commonRefusals,
    'too many': refuses('throttled', 429, twilioError(20429, 'Too many requests')),
    'wrong token': refuses('misconfigured', 401, twilioError(20003, 'Authenticate')),
    'no such account': refuses('misconfigured', 404, twilioError(20404, 'The requested resource was not found')),
    'not our number': refuses(
      'misconfigured',
      400,
      twilioError(21606, "The 'From' number is not valid for your account"),
    ),
    'not a number': refuses('bad_address', 400, twilioError(21211, "Invalid 'To' Phone Number")),
    'not a mobile': refuses('bad_address', 400, twilioError(21614, "'To' number is not a valid mobile number")),
    stopped: refuses('bad_address', 400, twilioError(21610, 'Attempt to send to unsubscribed recipient')),
    'too long': refuses(
      'rejected',
      400,
      twilioError(21617, 'The concatenated message body exceeds the 1600 character limit'),
    ),
    'region not enabled': refuses(
      'rejected',
      400,
      twilioError(21408, 'Permission to send an SMS has not been enabled for the region'),
    ),
  },
};

const vonageAnswer = (status: string, text: string) => ({
  'message-count': '1',
  messages: [{ status, 'error-text': text }],
});

export const vonageVendor: VendorDescription = {
  id: 'vonage',
  credentials: (endpoint) => ({
    api_key: 'abcd1234',
    api_secret: SECRET,
    from: 'Carillon',
    webhook_secret: `webhook-${SECRET}`,
    endpoint,
  }),
  secrets: [SECRET],
  to: '+4915112345678',
  isSend: ({ path }) => path === '/sms/json',
  accept: () => ({
    status: 200,
    body: { 'message-count': '1', messages: [{ status: '0', 'message-id': randomBytes(8).toString('hex') }] },
  }),
  other: () => ({ status: 200, body: { value: 10 } }),
  refusals: {
    ...commonRefusals,
    throttled: refuses('throttled', 200, vonageAnswer('1', 'Throttled')),
    'bad number': refuses('bad_address', 200, vonageAnswer('3', 'Invalid to')),
    'wrong secret': refuses('misconfigured', 200, vonageAnswer('4', 'Bad credentials')),
    internal: refuses('transient', 200, vonageAnswer('5', 'Internal Error')),
    'bad message': refuses('rejected', 200, vonageAnswer('6', 'Unroutable message')),
    'out of credit': refuses('misconfigured', 200, vonageAnswer('9', 'Quota exceeded')),
  },
};
