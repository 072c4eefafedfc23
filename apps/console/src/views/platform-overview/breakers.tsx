import { Anchor, Code, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { Overview } from '#client';
import { useViewContext } from '../../api/view-context';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { channelName } from '../../words/channels';
import { SectionTable } from './section-table';

/** The tenant id of the platform's own accounts: no tenant has it. */
const PLATFORM_TENANT_ID = '00000000-0000-0000-0000-000000000000';

/** Provider accounts that do not work at the moment: of tenants and of the platform. */
export function Breakers({ breakers }: { breakers: Overview['breakers'] }) {
  const { linkTo } = useViewContext();
  const rows = breakers.map((breaker) => {
    const { account_id, tenant_id, name, provider, channel, code, detail, since } = breaker;
    const path = `/provider-accounts/${account_id}`;
    return {
      id: `${tenant_id} ${account_id}`,
      cells: [
        <Anchor
          key="name"
          component={Link}
          to={tenant_id === PLATFORM_TENANT_ID ? linkTo(path) : `/t/${tenant_id}${path}`}
          size="sm"
        >
          {name}
        </Anchor>,
        `${provider}, ${channelName(channel)}`,
        <StateBadge key="breaker" state={breaker.breaker} />,
        <Text key="error" size="sm">
          {code && <Code>{code}</Code>} {detail}
        </Text>,
        <Time key="since" value={since} />,
      ],
    };
  });
  return (
    <SectionTable
      title="Provider accounts that do not work"
      head={['Account', 'Provider', 'Breaker', 'Last error', 'Since']}
      rows={rows}
      none="All provider accounts work."
    />
  );
}
