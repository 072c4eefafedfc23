import { Anchor, Code, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { Overview } from '#client';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { channelNames } from '../../words/delivery-states';
import { SectionTable } from './section-table';

/** Provider accounts that do not work at the moment. Accounts of the platform belong to no tenant's pages. */
export function Breakers({ breakers }: { breakers: Overview['breakers'] }) {
  const rows = breakers.map((breaker) => {
    const { account_id, tenant_id, name, provider, channel, code, detail, since } = breaker;
    return {
      id: `${tenant_id} ${account_id}`,
      cells: [
        <Anchor key="name" component={Link} to={`/t/${tenant_id}/provider-accounts/${account_id}`} size="sm">
          {name}
        </Anchor>,
        `${provider}, ${channelNames[channel]}`,
        <StateBadge key="breaker" state={breaker.breaker} />,
        <Text key="why" size="sm">
          {code && <Code>{code}</Code>} {detail}
        </Text>,
        <Time key="since" value={since} />,
      ],
    };
  });
  return (
    <SectionTable
      title="Provider accounts that do not work"
      head={['Account', 'Provider', 'Breaker', 'Why', 'Since']}
      rows={rows}
      none="All provider accounts work."
    />
  );
}
