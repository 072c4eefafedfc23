import { discord } from './chat/discord.provider.js';
import { slack } from './chat/slack.provider.js';
import { teams } from './chat/teams.provider.js';
import { telegram } from './chat/telegram.provider.js';
import type { Provider } from './define-provider.js';
import { brevo } from './email/brevo.provider.js';
import { mailgun } from './email/mailgun.provider.js';
import { postmark } from './email/postmark.provider.js';
import { resend } from './email/resend.provider.js';
import { sendgrid } from './email/sendgrid.provider.js';
import { ses } from './email/ses.provider.js';
import { smtp } from './email/smtp.provider.js';
import { fcm } from './push/fcm.provider.js';
import { webPushProvider } from './push/web-push.provider.js';
import { sandbox } from './sandbox/sandbox.provider.js';
import { twilio } from './sms/twilio.provider.js';
import { vonage } from './sms/vonage.provider.js';
import { webhook } from './webhook/webhook.provider.js';

/** All providers, one line each. */
export const providers: Readonly<Record<string, Provider>> = {
  sandbox,
  smtp,
  ses,
  resend,
  sendgrid,
  postmark,
  mailgun,
  brevo,
  twilio,
  vonage,
  fcm,
  'web-push': webPushProvider,
  slack,
  discord,
  teams,
  telegram,
  webhook,
};
