import { type ComponentType, type LazyExoticComponent, lazy } from 'react';

/** A page in the navigation, with the pages below it. */
export interface View {
  /** As for `linkTo`: `/deliveries`. Pages below it, such as one delivery, are routes of the view itself. */
  path: string;
  label: string;
  group: Group;
  component: LazyExoticComponent<ComponentType>;
  /** A tenant's view needs this scope; without it the view is hidden. */
  scope?: string;
}

export type Group = 'Watch' | 'Audience' | 'Content' | 'Set-up' | 'Platform';

/** Views of one tenant's data, by group in the order of the page. */
export const tenantViews: readonly View[] = [
  {
    path: '/overview',
    label: 'Overview',
    group: 'Watch',
    scope: 'notifications:read',
    component: lazy(() => import('../views/overview/overview')),
  },
  {
    path: '/deliveries',
    label: 'Deliveries',
    group: 'Watch',
    scope: 'notifications:read',
    component: lazy(() => import('../views/deliveries/deliveries')),
  },
  {
    path: '/notifications',
    label: 'Notifications',
    group: 'Watch',
    scope: 'notifications:read',
    component: lazy(() => import('../views/notifications/notifications')),
  },
  {
    path: '/explain',
    label: 'Explain',
    group: 'Watch',
    scope: 'notifications:write',
    component: lazy(() => import('../views/explain/explain')),
  },
  {
    path: '/dead-letters',
    label: 'Dead letters',
    group: 'Watch',
    scope: 'dead_letters:read',
    component: lazy(() => import('../views/dead-letters/dead-letters')),
  },
  {
    path: '/jobs',
    label: 'Jobs',
    group: 'Watch',
    scope: 'notifications:read',
    component: lazy(() => import('../views/jobs/jobs')),
  },
  {
    path: '/mailbox',
    label: 'Mailbox',
    group: 'Watch',
    scope: 'mailbox:read',
    component: lazy(() => import('../views/mailbox/mailbox')),
  },
  {
    path: '/recipients',
    label: 'Recipients',
    group: 'Audience',
    scope: 'recipients:read',
    component: lazy(() => import('../views/recipients/recipients')),
  },
  {
    path: '/topics',
    label: 'Topics',
    group: 'Audience',
    scope: 'topics:read',
    component: lazy(() => import('../views/topics/topics')),
  },
  {
    path: '/suppressions',
    label: 'Suppressions',
    group: 'Audience',
    scope: 'suppressions:read',
    component: lazy(() => import('../views/suppressions/suppressions')),
  },
  {
    path: '/webhooks',
    label: 'Webhooks',
    group: 'Set-up',
    scope: 'webhooks:read',
    component: lazy(() => import('../views/webhooks/webhooks')),
  },
  {
    path: '/provider-accounts',
    label: 'Provider accounts',
    group: 'Set-up',
    scope: 'provider_accounts:read',
    component: lazy(() => import('../views/provider-accounts/provider-accounts')),
  },
  {
    path: '/categories',
    label: 'Categories',
    group: 'Content',
    scope: 'categories:read',
    component: lazy(() => import('../views/categories/categories')),
  },
  {
    path: '/schedules',
    label: 'Schedules',
    group: 'Content',
    scope: 'schedules:read',
    component: lazy(() => import('../views/schedules/schedules')),
  },
  {
    path: '/templates',
    label: 'Templates',
    group: 'Content',
    scope: 'templates:read',
    component: lazy(() => import('../views/templates/templates')),
  },
];

/** Views of the operator, over all tenants. */
export const platformViews: readonly View[] = [
  {
    path: '/overview',
    label: 'Overview',
    group: 'Watch',
    component: lazy(() => import('../views/platform-overview/platform-overview')),
  },
  {
    path: '/dead-letters',
    label: 'Dead letters',
    group: 'Watch',
    component: lazy(() => import('../views/platform-dead-letters/platform-dead-letters')),
  },
  {
    path: '/tenants',
    label: 'Tenants',
    group: 'Platform',
    component: lazy(() => import('../views/tenants/tenants')),
  },
  {
    path: '/audit',
    label: 'Audit log',
    group: 'Platform',
    component: lazy(() => import('../views/audit/audit')),
  },
  {
    path: '/templates',
    label: 'Templates',
    group: 'Platform',
    component: lazy(() => import('../views/templates/templates')),
  },
  {
    path: '/provider-accounts',
    label: 'Provider accounts',
    group: 'Platform',
    component: lazy(() => import('../views/provider-accounts/provider-accounts')),
  },
];
