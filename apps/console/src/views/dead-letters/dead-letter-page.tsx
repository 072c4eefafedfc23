import { Alert, Anchor, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { Loaded, Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { ViewLink } from '../../page/view-link';
import { channelName } from '../../words/channels';
import { failedReasons } from '../../words/failed-reasons';
import { reasonText } from '../../words/reasons';
import { Words } from '../../words/words';
import type { DeadLetter } from './dead-letter-calls';
import { stateOf } from './dead-letter-list';
import type { DeadLetterPagesProps } from './dead-letter-rights';

export function DeadLetterPage({ calls, rights }: DeadLetterPagesProps) {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
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
  const { linkTo } = useViewContext();
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
    removes: ['dead_letters', 'one', letter.id],
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
  const text = reasonText(letter.reason, false);
  return (
    <Stack>
      <Alert color={stateOf(letter) === 'open' ? 'red' : 'gray'} title={failedReasons[letter.reason]}>
        {text && (
          <>
            <Words text={text.meaning} isSentence /> <Words text={text.advice} isSentence />
          </>
        )}
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
            <TenantLink key="delivery" letter={letter} to={`/deliveries/${letter.delivery_id}`}>
              Timeline of the delivery
            </TenantLink>,
          ],
          [
            'Recipient',
            <TenantLink key="recipient" letter={letter} to={`/recipients/${encodeURIComponent(letter.recipient_id)}`}>
              {letter.recipient_id}
            </TenantLink>,
          ],
          ['Notification', <Identifier key="notification" value={letter.notification_id} what="notification's id" />],
          ['Tenant', letter.tenant_id && <Identifier value={letter.tenant_id} what="tenant's id" />],
        ]}
      />
    </Stack>
  );
}

/** To a view of the letter's tenant, also from the operator's pages. */
function TenantLink({ letter, to, children }: { letter: DeadLetter; to: string; children: ReactNode }) {
  if (!letter.tenant_id) return <ViewLink to={to}>{children}</ViewLink>;
  return (
    <Anchor component={Link} to={`/t/${letter.tenant_id}${to}`} size="sm">
      {children}
    </Anchor>
  );
}
