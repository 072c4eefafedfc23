import { Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { useViewContext } from '../../api/view-context';
import { LoadError } from '../../page/load-error';
import { type ExportProgress, readExport, saveFile } from './download-export';

type State = { step: 'none' } | ({ step: 'reading' | 'done' } & ExportProgress) | { step: 'failed'; error: unknown };

export function ExportRecipient({ id }: { id: string }) {
  const { request } = useViewContext();
  const [state, setState] = useState<State>({ step: 'none' });
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  async function run(): Promise<void> {
    const controller = new AbortController();
    abort.current = controller;
    let progress: ExportProgress = { lines: 0, bytes: 0 };
    setState({ step: 'reading', ...progress });
    try {
      const path = `/api/v1/recipients/${encodeURIComponent(id)}/export`;
      const response = await request(path, { signal: controller.signal });
      const file = await readExport(response, (done) => {
        progress = done;
        setState({ step: 'reading', ...done });
      });
      saveFile(file, `${id.replaceAll(/[^\w.-]+/g, '_')}.ndjson`);
      setState({ step: 'done', ...progress });
    } catch (error) {
      setState(controller.signal.aborted ? { step: 'none' } : { step: 'failed', error });
    }
  }

  const isReading = state.step === 'reading';
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Export
        </Title>
        <Text size="sm">
          Everything that is stored about {id}: profile, devices, preferences, inbox, notifications and deliveries with
          their timelines. One JSON object on each line. The export is noted in the audit log.
        </Text>
        <Group>
          <Button
            variant="default"
            leftSection={<IconDownload size={16} aria-hidden />}
            loading={isReading}
            onClick={() => void run()}
          >
            Download the export
          </Button>
          {isReading && (
            <Button variant="subtle" onClick={() => abort.current?.abort()}>
              Stop
            </Button>
          )}
          {(isReading || state.step === 'done') && (
            <Text size="sm" role="status">
              {isReading ? 'Reading: ' : 'Saved: '}
              {amount(state)}
            </Text>
          )}
        </Group>
        {state.step === 'failed' && <LoadError error={state.error} retry={() => void run()} />}
      </Stack>
    </Paper>
  );
}

function amount({ lines, bytes }: ExportProgress): string {
  const size = bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${lines.toLocaleString()} lines, ${size}`;
}
