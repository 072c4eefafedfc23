import { Alert, Button, Radio, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { failureOf } from '../../api/failures';
import { useAction } from '../../api/view-context';
import { instant, localTime } from '../../list/list-filters';
import { counted } from '../../words/amounts';
import type { Endpoint } from './endpoint';

const DAY_MS = 86_400_000;
/** Events are kept for a week. */
const KEPT_MS = 7 * DAY_MS;

type Only = 'failed' | 'missing';

/** Sends events again from a time on. One call sends up to a thousand, so it goes on until nothing is left. */
export function EndpointReplay({ endpoint }: { endpoint: Endpoint }) {
  const [since, setSince] = useState(() => localTime(new Date(Date.now() - DAY_MS).toISOString()));
  const [only, setOnly] = useState<Only>('failed');
  const [sent, setSent] = useState(0);
  const replay = useAction({
    run: async (carillon) => {
      setSent(0);
      let total = 0;
      for (let more = true; more; ) {
        const answer = await carillon.webhooks.replay({
          path: { id: endpoint.id },
          body: { since: instant(since), only },
        });
        total += answer.replayed;
        setSent(total);
        more = answer.more && answer.replayed > 0;
      }
      return total;
    },
    done: (total) => `${counted(total, 'event')} put into the queue`,
    changes: ['webhook_deliveries', 'dead_letters'],
  });
  const fault = failureOf(replay.error).fields;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        replay.mutate();
      }}
    >
      <Stack align="flex-start" maw={560}>
        <Radio.Group label="Which events" value={only} onChange={(value) => setOnly(value as Only)}>
          <Stack gap="xs" mt="xs">
            <Radio value="failed" label="Failed ones" description="Those whose attempts all failed" />
            <Radio
              value="missing"
              label="Missing ones"
              description="Those that were never sent, because the endpoint was disabled or did not exist yet"
            />
          </Stack>
        </Radio.Group>
        <TextInput
          type="datetime-local"
          step={1}
          label="Since"
          description="Events are kept for seven days."
          value={since}
          min={localTime(new Date(Date.now() - KEPT_MS).toISOString())}
          onChange={(event) => setSince(event.currentTarget.value)}
          error={replay.error ? fault['/since'] : undefined}
          required
        />
        <Button type="submit" loading={replay.isPending} disabled={!instant(since)}>
          Replay
        </Button>
        {(replay.isPending || replay.isSuccess) && (
          <Alert color={replay.isSuccess ? 'green' : 'blue'} role="status" title={counted(sent, 'event')}>
            {replay.isSuccess ? 'They are in the queue, and among the deliveries.' : 'Reading more of them.'}
          </Alert>
        )}
      </Stack>
    </form>
  );
}
