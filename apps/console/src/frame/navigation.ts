import { type ComponentType, type LazyExoticComponent, lazy } from 'react';

/** A page in the navigation, with the pages below it. */
export interface View {
  /** Below the scope: `/deliveries`. Pages below it, such as one delivery, are routes of the view itself. */
  path: string;
  label: string;
  group: Group;
  component: LazyExoticComponent<ComponentType>;
  /** A tenant's view needs this scope; without it the view is hidden. */
  scope?: string;
}

export type Group = 'Watch' | 'Audience' | 'Content' | 'Set-up' | 'Platform';

/** Views of one tenant's data. */
export const tenantViews: readonly View[] = [
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
    path: '/recipients',
    label: 'Recipients',
    group: 'Audience',
    scope: 'recipients:read',
    component: lazy(() => import('../views/recipients/recipients')),
  },
  {
    path: '/dead-letters',
    label: 'Dead letters',
    group: 'Watch',
    scope: 'dead_letters:read',
    component: lazy(() => import('../views/dead-letters/dead-letters')),
  },
  {
    path: '/webhooks',
    label: 'Webhooks',
    group: 'Set-up',
    scope: 'webhooks:read',
    component: lazy(() => import('../views/webhooks/webhooks')),
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
];
