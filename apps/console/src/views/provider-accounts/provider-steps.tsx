import { List, Text } from '@mantine/core';
import type { Provider } from '#client';

/** The set-up at the provider, from docs/providers. */
const STEPS: Record<string, readonly string[]> = {
  ses: [
    'Verify the domain of the sender, and move the account out of the SES sandbox.',
    'Create an SNS topic with the signature version 2, and a configuration set with the topic as event destination.',
    'Subscribe the address for receipts to the topic over https, without raw delivery.',
  ],
  sendgrid: [
    'Authenticate the domain.',
    'Under Mail Settings, Event Webhook: enter the address for receipts, choose delivered, bounced, dropped, spam ' +
      'report and open, enable Signed Event Webhook and copy its key.',
  ],
  postmark: [
    'Confirm the sender.',
    'Choose a long password, and add a webhook with https://carillon:PASSWORD@ before the address for receipts.',
  ],
  mailgun: [
    'Verify the domain.',
    'Add webhooks with the address for receipts for delivered, permanent failure, spam complaints and opens, and ' +
      'copy the signing key.',
  ],
  brevo: [
    'Verify the domain. If the account restricts IP addresses, allow those of your workers.',
    'Choose a long token, and create a transactional webhook with the address for receipts and bearer authentication.',
  ],
  resend: [
    'Verify the domain.',
    'Add a webhook with the address for receipts and the events delivered, bounced, complained and opened.',
  ],
  smtp: ['The user may send as the sender. SPF, DKIM and DMARC are configured on the server and in DNS.'],
  twilio: [
    'Buy a number or create a messaging service, and enable the countries that you send to.',
    'Receipts need no set-up: each message names its address for receipts.',
  ],
  vonage: [
    'Choose a long webhook secret.',
    'In the dashboard under API settings (SMS API), enter the address for receipts, with the method POST-JSON.',
  ],
  fcm: [
    'In the Firebase console: Project settings, Service accounts, Generate new private key.',
    'The account needs the role Firebase Cloud Messaging API Admin; the API must be enabled.',
  ],
  'web-push': ['npx web-push generate-vapid-keys generates the pair of keys.'],
  slack: [
    'Create an app at api.slack.com/apps.',
    'Add an incoming webhook; or add the scope chat:write and invite the bot to its channels.',
  ],
  discord: ['Create the webhook in the settings of the channel.'],
  teams: ['In Teams: the menu of the channel, Workflows, “Post to a channel when a webhook request is received”.'],
  telegram: ['Create a bot with @BotFather. The recipient must write to it first, or be a member of the group.'],
  webhook: ['The receiver verifies the signature with a library of standardwebhooks.com.'],
};

export function ProviderSteps({ provider: { id, name } }: { provider: Provider }) {
  const steps = STEPS[id];
  if (!steps) return null;
  return (
    <div>
      <Text size="sm" fw={600}>
        Set-up at {name}
      </Text>
      <List size="sm" type="ordered" spacing={2} mt={4}>
        {steps.map((step) => (
          <List.Item key={step}>{step}</List.Item>
        ))}
      </List>
    </div>
  );
}
