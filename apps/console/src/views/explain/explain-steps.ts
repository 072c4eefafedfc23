import type { DeliveryExplanation } from '#client';
import type { Rule } from '../../words/rules';

/** The decisions of the sender in their order, each with the rules that may decide it. */
const STEPS = [
  { name: 'Time', passed: 'It may go out now', rules: ['send.scheduled_at', 'send.expires_at', 'send.ordering_key'] },
  { name: 'Address', passed: 'There is an address', rules: ['recipient.addresses'] },
  {
    name: 'Consent',
    passed: 'Nothing forbids it',
    rules: [
      'tenant.status',
      'suppression_list',
      'tenant.enforced',
      'category.mandatory',
      'recipient.preferences',
      'tenant.defaults',
      'category.default',
    ],
  },
  { name: 'Digest', passed: 'It is sent by itself', rules: ['category.digest'] },
  {
    name: 'Quiet hours',
    passed: 'No quiet hours',
    rules: ['recipient.quiet_hours', 'tenant.quiet_hours', 'operator.quiet_hours_floor'],
  },
  {
    name: 'Limits',
    passed: 'Within all limits',
    rules: ['recipient_limits', 'recipient.caps', 'tenant.caps', 'tenant.quota'],
  },
  { name: 'Content', passed: 'It renders', rules: ['template', 'channel.limits'] },
  {
    name: 'Provider',
    passed: 'A provider account takes it',
    rules: ['provider_accounts', 'provider_account.allowed', 'provider_account.pace', 'provider_account.health'],
  },
] as const satisfies readonly { name: string; passed: string; rules: readonly Rule[] }[];

export type StepName = (typeof STEPS)[number]['name'];

export interface ExplainedStep {
  name: StepName;
  /** `later`: not reached, because an earlier step decided. */
  result: 'passed' | 'decided' | 'later';
  /** For a step that was passed. */
  passed: string;
}

/** Where in the pipeline the delivery was decided. Without a rule that stops it, every step is passed. */
export function stepsOf({ rule, state }: Pick<DeliveryExplanation, 'rule' | 'state'>): ExplainedStep[] {
  // The compiler reports a rule of the API that has no meaning in words/rules.ts.
  const decides = ({ rules }: { rules: readonly Rule[] }): boolean => rule !== null && rules.includes(rule);
  const decidedAt = state === 'sent' ? -1 : STEPS.findIndex(decides);
  return STEPS.map(({ name, passed }, index) => ({
    name,
    passed,
    result: decidedAt === -1 || index < decidedAt ? 'passed' : index === decidedAt ? 'decided' : 'later',
  }));
}
