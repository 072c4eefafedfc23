import { Code } from '@mantine/core';
import { useRead } from '../../api/view-context';
import { LoadError } from '../../page/load-error';
import { Time } from '../../page/time';
import { SectionTable } from './section-table';

const SHOWN = 20;

/** Kafka messages that no consumer could process. */
export function PoisonMessages() {
  const { data, error, refetch } = useRead(
    ['poison_messages'],
    (carillon) => carillon.poisonMessages.list({ query: { limit: SHOWN } }),
    { refreshMs: 30_000 },
  );
  if (error) return <LoadError error={error} retry={() => void refetch()} />;
  const rows = (data?.data ?? []).map(({ topic, partition, offset, reason, created_at }) => ({
    id: `${topic} ${partition} ${offset}`,
    cells: [
      <Code key="topic">{topic}</Code>,
      `${partition}, ${offset}`,
      reason,
      <Time key="created" value={created_at} />,
    ],
  }));
  return (
    <SectionTable
      title="Kafka messages that could not be processed"
      about={`The newest ${SHOWN}`}
      head={['Topic', 'Partition, offset', 'Reason', 'Time']}
      rows={rows}
      none="None."
    />
  );
}
