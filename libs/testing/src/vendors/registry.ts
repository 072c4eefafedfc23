import { discordVendor, slackVendor, teamsVendor, telegramVendor } from './chat-vendors.js';
import {
  brevoVendor,
  mailgunVendor,
  postmarkVendor,
  resendVendor,
  sendgridVendor,
  sesVendor,
} from './email-vendors.js';
import type { VendorDescription } from './http-vendor.js';
import { fcmVendor, webPushVendor } from './push-vendors.js';
import { twilioVendor, vonageVendor } from './sms-vendors.js';
import { webhookReceiver } from './webhook-receiver.js';

/** All vendors with an HTTP API, one line each, by the id of their provider. */
export const vendors: Readonly<Record<string, VendorDescription>> = {
  ses: sesVendor,
  resend: resendVendor,
  sendgrid: sendgridVendor,
  postmark: postmarkVendor,
  mailgun: mailgunVendor,
  brevo: brevoVendor,
  twilio: twilioVendor,
  vonage: vonageVendor,
  fcm: fcmVendor,
  'web-push': webPushVendor,
  slack: slackVendor,
  discord: discordVendor,
  teams: teamsVendor,
  telegram: telegramVendor,
  webhook: webhookReceiver,
};
