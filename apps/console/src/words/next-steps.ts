import type { DeliveryWithTimeline } from '#client';

/** A page on which the next step is done. */
export interface NextStep {
  label: string;
  /** As for `linkTo`, such as `/suppressions?address=…`. */
  to: string;
}

/** Facts beside the delivery itself. */
export interface StepFacts {
  category: string | null;
  templateId: string | null;
  address: string | null;
  providerAccountId: string | null;
}

type Pages = Record<
  'suppressions' | 'preferences' | 'profile' | 'accounts' | 'template' | 'categories' | 'rules' | 'limits',
  NextStep | null
>;

/** Where the reason of a delivery is corrected, most useful first. Retries, replays and settling are buttons. */
export function nextSteps(delivery: DeliveryWithTimeline, facts: StepFacts): NextStep[] {
  const pages = pagesOf(delivery, facts);
  return pagesFor(delivery, pages).filter((step) => step !== null);
}

function pagesOf({ recipient_id }: DeliveryWithTimeline, facts: StepFacts): Pages {
  const { category, templateId, address, providerAccountId } = facts;
  const recipient = `/recipients/${encodeURIComponent(recipient_id)}`;
  return {
    suppressions: {
      label: 'Open the suppression list',
      to: `/suppressions${address === null ? '' : `?address=${encodeURIComponent(address)}`}`,
    },
    preferences: { label: `Preferences of ${recipient_id}`, to: `${recipient}/preferences` },
    profile: { label: `Profile of ${recipient_id}`, to: recipient },
    accounts:
      providerAccountId === null
        ? { label: 'Provider accounts', to: '/provider-accounts' }
        : { label: 'Open the provider account', to: `/provider-accounts/${providerAccountId}` },
    template:
      templateId === null
        ? null
        : { label: `Template ${templateId}`, to: `/templates/${encodeURIComponent(templateId)}` },
    categories: { label: category === null ? 'Categories' : `Category ${category}`, to: '/categories' },
    rules: { label: 'Preference rules', to: '/categories/rules' },
    limits: { label: 'Quota and caps', to: '/categories/limits' },
  };
}

function pagesFor({ state, reason }: DeliveryWithTimeline, pages: Pages): (NextStep | null)[] {
  switch (reason) {
    case 'suppression_list':
      return [pages.suppressions, pages.profile];
    case 'opted_out':
    case 'unsubscribed':
      return [pages.preferences];
    case 'tenant_rule':
      return [pages.rules];
    case 'digest':
      return [pages.categories];
    case 'quiet_hours':
      return [pages.categories, pages.preferences];
    case 'frequency_cap':
      return [pages.categories, pages.limits];
    case 'quota':
      return [pages.limits];
    case 'no_address':
      return [pages.profile];
    case 'bad_address':
      return [pages.profile, pages.suppressions];
    case 'render_error':
      return [pages.template];
    case 'rejected':
      return [pages.template, pages.accounts];
    case 'misconfigured':
    case 'retries_exhausted':
    case 'no_provider':
    case 'sender_not_allowed':
    case 'provider_down':
    case 'provider_limit':
      return [pages.accounts];
    default:
      return state === 'bounced' ? [pages.profile, pages.suppressions] : [];
  }
}
