import { Alert, Button, Group, List, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import type { ErasureReceipt } from '#client';
import { useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { inWords } from '../../page/state-badge';
import { wholeTime } from '../../page/time';
import { notifyFailure } from '../../page/toasts';

export function EraseRecipient({ id }: { id: string }) {
  const { request, tenantId, linkTo } = useViewContext();
  const queryClient = useQueryClient();
  const [receipt, setReceipt] = useState<ErasureReceipt | null>(null);

  async function erase(): Promise<void> {
    try {
      // Minutes for a recipient with very many deliveries.
      const response = await request(`/api/v1/recipients/${encodeURIComponent(id)}`, { method: 'DELETE' });
      setReceipt((await response.json()) as ErasureReceipt);
    } catch (error) {
      notifyFailure(error);
      throw error;
    }
    for (const name of ['recipients', 'recipient_inbox', 'recipient_subscriptions'])
      void queryClient.invalidateQueries({ queryKey: [tenantId, name] });
  }

  if (receipt) return <Receipt receipt={receipt} back={linkTo('/recipients')} />;
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Erase
        </Title>
        <Text size="sm">For requests under the GDPR. It cannot be undone.</Text>
        <List size="sm" spacing={4}>
          <List.Item>Profile, devices, preferences, subscriptions and inbox are deleted.</List.Item>
          <List.Item>Deliveries that wait are cancelled. One whose send has begun ends as unknown.</List.Item>
          <List.Item>
            Notifications and deliveries stay with their states and times, without address, content and payload.
          </List.Item>
          <List.Item>
            A keyed hash keeps the addresses on the suppression list, so that they are not written to by mistake.
          </List.Item>
          <List.Item>Messages at providers, events that you have received and backups are not reached.</List.Item>
        </List>
        <Group>
          <ConfirmButton
            color="red"
            leftSection={<IconTrash size={16} aria-hidden />}
            title={`Erase ${id}?`}
            text={
              'All personal data of this recipient is deleted now. It cannot be undone. It takes about 20 seconds ' +
              'for 100,000 deliveries; if this page is closed, a worker completes what has begun.'
            }
            confirm="Erase"
            typed={id}
            run={erase}
          >
            Erase this recipient
          </ConfirmButton>
        </Group>
      </Stack>
    </Paper>
  );
}

function Receipt({ receipt: { id, erased_at, erased }, back }: { receipt: ErasureReceipt; back: string }) {
  return (
    <Alert color="teal" role="status" title={`${id} is erased`}>
      <Text size="sm">
        Completed {wholeTime(erased_at)}. A minute later a worker looks once more for rows written meanwhile.
      </Text>
      <Table mt="sm" maw={420} aria-label="Erased rows">
        <Table.Tbody>
          {Object.entries(erased).map(([kind, rows]) => (
            <Table.Tr key={kind}>
              <Table.Th scope="row">{inWords(kind)}</Table.Th>
              <Table.Td>{rows.toLocaleString()}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Button component={Link} to={back} variant="default" size="xs" mt="sm">
        Back to the list
      </Button>
    </Alert>
  );
}
