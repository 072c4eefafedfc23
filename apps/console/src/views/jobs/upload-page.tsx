import { Alert, Button, Code, FileInput, Group, Loader, Stack, Text } from '@mantine/core';
import { IconFile, IconUpload } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { useAction, useScopeOfPage } from '../../api/scope';
import type { Job } from '../../job/job-calls';
import { CodeBlock } from '../../page/code-block';
import { LoadError } from '../../page/load-error';
import { Page } from '../../page/page';
import { firstLineOf, sizeInWords } from './upload-file';

const EXAMPLE = `{"channel": "email", "template_id": "welcome", "payload": {"product": "Carillon"}}
{"recipient_id": "ann", "payload": {"name": "Ann"}}
{"recipient": {"id": "bob", "email": "bob@example.com"}}`;

export function UploadPage() {
  const { linkTo } = useScopeOfPage();
  const [file, setFile] = useState<File | null>(null);
  return (
    <Page
      title="Upload recipients"
      about="Sends to up to a million recipients. A job sends to them in the background; it can be paused and cancelled."
      parent={{ title: 'Jobs', to: linkTo('/jobs') }}
    >
      <Stack maw={720}>
        <Text size="sm">
          The file is NDJSON: one JSON object on each line. The first line is what all have in common, as for a bulk
          send; each further line is one recipient.
        </Text>
        <CodeBlock code={EXAMPLE} label="Example of a file" />
        <FileInput
          label="File"
          placeholder="Choose a file"
          description="At most 1 GB and 1,000,000 lines."
          accept=".ndjson,.jsonl,.json,application/x-ndjson"
          leftSection={<IconFile size={16} aria-hidden />}
          value={file}
          onChange={setFile}
          clearable
          clearButtonProps={{ 'aria-label': 'Remove the file' }}
        />
        {file && <Upload key={`${file.name} ${file.size} ${file.lastModified}`} file={file} />}
      </Stack>
    </Page>
  );
}

/** The key of one chosen file, so that a repeated upload of it does not send twice. */
function Upload({ file }: { file: File }) {
  const { request, linkTo } = useScopeOfPage();
  const navigate = useNavigate();
  const [key] = useState(() => crypto.randomUUID());
  const [firstLine, setFirstLine] = useState<string | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => {
    void firstLineOf(file).then(setFirstLine);
    return () => abort.current?.abort();
  }, [file]);
  const upload = useAction({
    run: async () => {
      abort.current = new AbortController();
      const answer = await request('/api/v1/notifications/stream', {
        method: 'POST',
        body: file,
        headers: { 'Content-Type': 'application/x-ndjson', 'Idempotency-Key': key },
        signal: abort.current.signal,
      });
      return (await answer.json()) as Job;
    },
    done: 'The file is uploaded, and its job has started',
    changes: ['jobs'],
    onDone: ({ id }) => navigate(linkTo(`/jobs/${id}`)),
    quiet: true,
  });
  const isAborted = abort.current?.signal.aborted === true;
  return (
    <Stack gap="sm">
      {firstLine !== null && (
        <Alert color="blue" title={`${sizeInWords(file.size)}. The first line:`}>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {firstLine || '(empty)'}
          </Code>
        </Alert>
      )}
      {upload.error && !isAborted && <LoadError error={upload.error} />}
      <Group>
        <Button
          leftSection={<IconUpload size={16} aria-hidden />}
          loading={upload.isPending}
          onClick={() => upload.mutate()}
        >
          Upload and send
        </Button>
        {upload.isPending && (
          <>
            <Button variant="default" onClick={() => abort.current?.abort()}>
              Cancel the upload
            </Button>
            <Group gap="xs" role="status">
              <Loader size="xs" aria-hidden />
              <Text size="sm">Uploading {sizeInWords(file.size)}</Text>
            </Group>
          </>
        )}
      </Group>
      <Text size="sm" c="dimmed">
        Nothing is sent before the whole file has arrived. Lines that are not valid are listed with their numbers; the
        others are sent to.
      </Text>
    </Stack>
  );
}
