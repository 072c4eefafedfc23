import { AppShell, Burger, Group, Loader, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useEffect, useMemo } from 'react';
import { Navigate, Route, Routes, useLocation, useParams } from 'react-router';
import { ViewContextProvider } from '../api/view-context';
import { Boundary } from '../page/boundary';
import { Empty } from '../page/empty';
import { useSession } from '../session/session';
import { AccountMenu } from './account-menu';
import { platformViews, tenantViews, type View } from './navigation';
import { NavigationLinks } from './navigation-links';
import { SearchBox } from './search-box';
import { TenantChoice } from './tenant-choice';

/** The signed-in application: `/t/<tenant id>/…` for the data of a tenant, `/platform/…` for the operator. */
export function Frame() {
  const { tenant } = useSession();
  return (
    <Routes>
      <Route path="/t/:tenantId/*" element={<TenantPages />} />
      {!tenant && (
        <Route
          path="/platform/*"
          element={
            <ViewContextProvider tenantId={null} views={platformViews}>
              <Pages views={platformViews} />
            </ViewContextProvider>
          }
        />
      )}
      <Route path="*" element={<Navigate to={tenant ? `/t/${tenant.id}` : '/platform'} replace />} />
    </Routes>
  );
}

function TenantPages() {
  const { tenantId = '' } = useParams();
  const { tenant, scopes } = useSession();
  const views = useMemo(
    () => tenantViews.filter(({ scope }) => scope === undefined || scopes.includes(scope)),
    [scopes],
  );
  if (tenant && tenant.id !== tenantId) return <Navigate to={`/t/${tenant.id}`} replace />;
  return (
    <ViewContextProvider key={tenantId} tenantId={tenantId} isOwnTenant={tenant !== null} views={views}>
      <Pages views={views} />
    </ViewContextProvider>
  );
}

function Pages({ views }: { views: readonly View[] }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the navigation closes whenever another page is shown.
  useEffect(close, [pathname]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={opened ? 'Close the navigation' : 'Open the navigation'}
            />
            <Text fw={700}>Carillon</Text>
            <TenantChoice />
          </Group>
          <SearchBox visibleFrom="sm" />
          <AccountMenu />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" className={opened ? '' : 'closed-navigation'}>
        <SearchBox hiddenFrom="sm" />
        <NavigationLinks views={views} onClick={close} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Boundary of={pathname} title="This page cannot be shown" mayReload>
          <Suspense fallback={<Loader aria-label="Loading" />}>
            <Routes>
              {views.map(({ path, component: Component }) => (
                <Route key={path} path={`${path}/*`} element={<Component />} />
              ))}
              <Route index element={<FirstView views={views} />} />
              <Route path="*" element={<Empty title="There is no such page">Choose one from the navigation.</Empty>} />
            </Routes>
          </Suspense>
        </Boundary>
      </AppShell.Main>
    </AppShell>
  );
}

function FirstView({ views }: { views: readonly View[] }) {
  const { pathname } = useLocation();
  const [first] = views;
  if (first) return <Navigate to={pathname.replace(/\/$/, '') + first.path} replace />;
  return <Empty title="Nothing to see">The scopes of this API key allow none of the pages.</Empty>;
}
