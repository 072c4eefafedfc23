import { Alert, Anchor, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { Link, useNavigate, useParams } from 'react-router';
import { useAction, useRead, useScopeOfPage } from '../../api/scope';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { Loaded, Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { channelName } from '../../words/choices';
import { failedReasons } from '../../words/failed-reasons';
import type { DeadLetter } from './dead-letter-calls';
import { stateOf } from './dead-letter-list';
import type { DeadLetterPagesProps } from './dead-letter-pages';

export function DeadLetterPage({ calls, rights }: DeadLetterPagesProps) {
  const { id = '' } = useParams();
  const { linkTo } = useScopeOfPage();
  const query = useRead(['dead_letters', 'one', id], (carillon) => calls.get(carillon, id));
  return (
    <Page
      title={query.data ? `Dead letter of ${query.data.recipient_id}` : 'Dead letter'}
      parent={{ title: 'Dead letters', to: linkTo('/dead-letters') }}
      actions={query.data && rights.mayWrite && <Actions letter={query.data} calls={calls} rights={rights} />}
    >
      <Loaded query={query}>{(letter) => <Details letter={letter} />}</Loaded>
    </Page>
  );
}

function Actions({ letter, calls }: DeadLetterPagesProps & { letter: DeadLetter }) {
  const navigate = useNavigate();
  const { linkTo } = useScopeOfPage();
  const changes = ['dead_letters', 'deliveries'];
  const replay = useAction({
    run: (carillon) => calls.replay(carillon, letter.id),
    done: 'The delivery is back in the queue',
    changes,
  });
  const discard = useAction({
    run: (carillon) => calls.discard(carillon, letter.id),
    done: 'The dead letter is discarded',
    changes,
    onDone: () => navigate(linkTo('/dead-letters'), { replace: true }),
  });
  return (
    <Group gap="xs">
      {stateOf(letter) === 'open' && (
        <Button
          leftSection={<IconRefresh size={16} aria-hidden />}
          loading={replay.isPending}
          onClick={() => replay.mutate()}
        >
          Replay
        </Button>
      )}
      <ConfirmButton
        title="Discard this dead letter?"
        text="It cannot be replayed any more. Its delivery stays failed, with its timeline."
        run={() => discard.mutateAsync()}
      >
        Discard
      </ConfirmButton>
    </Group>
  );
}

function Details({ letter }: { letter: DeadLetter }) {
  const { linkTo } = useScopeOfPage();
  const { title, meaning, advice } = failedReasons[letter.reason];
  const linkOfTenant = (path: string): string => (letter.tenant_id ? `/t/${letter.tenant_id}${path}` : linkTo(path));
  return (
    <Stack>
      <Alert color={stateOf(letter) === 'open' ? 'red' : 'gray'} title={title}>
        {meaning} {advice}
      </Alert>
      {letter.detail && (
        <div>
          <Text size="sm" fw={600} mb={4}>
            {letter.provider ? `What ${letter.provider} said` : 'Detail'}
          </Text>
          <Code block style={{ whiteSpace: 'pre-wrap' }}>
            {letter.detail}
          </Code>
        </div>
      )}
      <Fields
        fields={[
          ['State', <StateBadge key="state" state={stateOf(letter)} />],
          ['Failed', <Time key="failed" value={letter.failed_at} />],
          ['Replayed', letter.replayed_at && <Time value={letter.replayed_at} />],
          ['Settled', letter.settled_at && <Time value={letter.settled_at} />],
          ['Channel', channelName(letter.channel)],
          ['Provider', letter.provider],
          ["Provider's code", letter.code],
          ['Attempts', String(letter.attempts)],
          [
            'Delivery',
            <Anchor key="delivery" component={Link} to={linkOfTenant(`/deliveries/${letter.delivery_id}`)} size="sm">
              Timeline of the delivery
            </Anchor>,
          ],
          [
            'Recipient',
            <Anchor
              key="recipient"
              component={Link}
              to={linkOfTenant(`/recipients/${encodeURIComponent(letter.recipient_id)}`)}
              size="sm"
            >
              {letter.recipient_id}
            </Anchor>,
          ],
          ['Notification', <Identifier key="notification" value={letter.notification_id} what="notification's id" />],
          ['Tenant', letter.tenant_id && <Identifier value={letter.tenant_id} what="tenant's id" />],
        ]}
      />
    </Stack>
  );
}
