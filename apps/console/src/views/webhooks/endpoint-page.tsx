import { Badge, Code, Group, Stack, Tabs } from '@mantine/core';
import { useParams } from 'react-router';
import { useRead, useViewContext } from '../../api/view-context';
import { Fields } from '../../page/fields';
import { Loaded, Page } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import type { Endpoint } from './endpoint';
import { EndpointActions } from './endpoint-actions';
import { EndpointDeliveries } from './endpoint-deliveries';
import { EndpointHealth } from './endpoint-health';
import { EndpointReplay } from './endpoint-replay';
import { EndpointTest } from './endpoint-test';
import { VerifyCall } from './verify-call';

export function EndpointPage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const mayWrite = useScope('webhooks:write');
  const query = useRead(['webhooks', 'one', id], (carillon) => carillon.webhooks.get({ path: { id } }));
  return (
    <Page
      title={query.data?.description || query.data?.url || 'Endpoint'}
      parent={{ title: 'Webhooks', to: linkTo('/webhooks') }}
      actions={query.data && mayWrite && <EndpointActions endpoint={query.data} />}
    >
      <Loaded query={query}>
        {(endpoint) => (
          <Stack>
            <Details endpoint={endpoint} />
            <Tabs defaultValue="deliveries" keepMounted={false}>
              <Tabs.List>
                <Tabs.Tab value="deliveries">Deliveries</Tabs.Tab>
                {mayWrite && <Tabs.Tab value="test">Test</Tabs.Tab>}
                {mayWrite && <Tabs.Tab value="replay">Replay</Tabs.Tab>}
                <Tabs.Tab value="verify">Verify a call</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="deliveries" pt="md">
                <EndpointDeliveries id={endpoint.id} />
              </Tabs.Panel>
              <Tabs.Panel value="test" pt="md">
                <EndpointTest endpoint={endpoint} />
              </Tabs.Panel>
              <Tabs.Panel value="replay" pt="md">
                <EndpointReplay endpoint={endpoint} />
              </Tabs.Panel>
              <Tabs.Panel value="verify" pt="md">
                <VerifyCall />
              </Tabs.Panel>
            </Tabs>
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Details({ endpoint }: { endpoint: Endpoint }) {
  return (
    <Fields
      fields={[
        ['URL', <Code key="url">{endpoint.url}</Code>],
        ['Health', <EndpointHealth key="health" endpoint={endpoint} />],
        [
          'Events',
          <Group key="events" gap={4}>
            {endpoint.events.map((type) => (
              <Badge key={type} variant="default" tt="none">
                {type === '*' ? 'all' : type}
              </Badge>
            ))}
          </Group>,
        ],
        ['Order', endpoint.ordered ? 'in order for each recipient' : 'best effort'],
        ['Created', <Time key="created" value={endpoint.created_at} />],
      ]}
    />
  );
}
