import { Alert, Badge, Button, Group, Paper, Select, Skeleton, Stack, Text, Title } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import type { Template, TemplateVersion } from '#client';
import { useAction, useMayWrite, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { DataTable } from '../../page/data-table';
import { Loaded, Page } from '../../page/page';
import { Time } from '../../page/time';
import { channelTitle } from '../../words/channels';
import { type TemplateRoutes, templateRoutes } from './template-routes';
import { versionText } from './version-text';

const VersionDiff = lazy(() => import('../../editor/version-diff'));
/** Pages of 50. Older versions are reached through the API. */
const MOST_PAGES = 4;

export function TemplateVersions() {
  const { templateId = '' } = useParams();
  const { isPlatform } = useViewContext();
  const template = useRead(['templates', 'one', templateId], (carillon, signal) =>
    templateRoutes(carillon, isPlatform).get(templateId, signal),
  );
  const versions = useRead(['templates', 'versions', templateId], (carillon, signal) =>
    readVersions(templateRoutes(carillon, isPlatform), templateId, signal),
  );
  return (
    <Loaded query={template}>
      {(head) => <Loaded query={versions}>{(rows) => <Versions template={head} versions={rows} />}</Loaded>}
    </Loaded>
  );
}

async function readVersions(routes: TemplateRoutes, id: string, signal: AbortSignal): Promise<TemplateVersion[]> {
  const versions: TemplateVersion[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { data, next_cursor } = await routes.versions(id, cursor, signal);
    versions.push(...data);
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  return versions;
}

function Versions({ template, versions }: { template: Template; versions: TemplateVersion[] }) {
  const { linkTo, isPlatform } = useViewContext();
  const navigate = useNavigate();
  const mayWrite = useMayWrite('templates:write') && (isPlatform || !template.platform);
  const newest = versions[0]!;
  const [before, setBefore] = useState(String(versions[1]?.version ?? newest.version));
  const [after, setAfter] = useState(String(newest.version));
  const rollback = useAction<number, Template>({
    run: (carillon, version) => templateRoutes(carillon, isPlatform).rollback(template.id, version),
    done: (saved) => `Version ${saved.version} has the content of the earlier one`,
    changes: ['templates'],
    onDone: () => void navigate(linkTo(`/templates/${template.id}`)),
  });
  return (
    <Page
      title={`Versions of ${template.key}`}
      about={
        `${channelTitle(template.channel)}, ${template.locale}. Versions never change; ` +
        'a delivery shows the one it was rendered with.'
      }
      parent={{ title: template.key, to: linkTo(`/templates/${template.id}`) }}
    >
      <Stack>
        <VersionTable
          versions={versions}
          compare={(version) => {
            setBefore(String(version));
            setAfter(String(newest.version));
          }}
          rollback={mayWrite ? (version) => rollback.mutateAsync(version) : undefined}
        />
        <Differences versions={versions} before={before} after={after} setBefore={setBefore} setAfter={setAfter} />
      </Stack>
    </Page>
  );
}

interface TableProps {
  versions: TemplateVersion[];
  compare: (version: number) => void;
  rollback: ((version: number) => Promise<unknown>) | undefined;
}

function VersionTable({ versions, compare, rollback }: TableProps) {
  const newest = versions[0]!.version;
  return (
    <DataTable
      label="Versions"
      head={['Version', 'Written', 'Layout', 'Actions']}
      rows={versions.map(({ version, created_at, layout }) => ({
        id: String(version),
        cells: [
          <Group key="version" gap="xs">
            {version}
            {version === newest && <Badge tt="none">current</Badge>}
          </Group>,
          <Time key="written" value={created_at} />,
          layout ?? '–',
          version !== newest && (
            <VersionActions key="actions" version={version} newest={newest} compare={compare} rollback={rollback} />
          ),
        ],
      }))}
    />
  );
}

interface ActionsProps extends Pick<TableProps, 'compare' | 'rollback'> {
  version: number;
  newest: number;
}

function VersionActions({ version, newest, compare, rollback }: ActionsProps) {
  return (
    <Group gap="xs">
      <Button
        size="xs"
        variant="default"
        aria-label={`Compare version ${version} with the current one`}
        onClick={() => compare(version)}
      >
        Compare
      </Button>
      {rollback && (
        <ConfirmButton
          size="xs"
          color="indigo"
          aria-label={`Restore version ${version}`}
          title={`Restore version ${version}?`}
          text={
            `It writes version ${newest + 1} with the content of version ${version} and the partials of today. ` +
            'Deliveries that wait use it too.'
          }
          confirm="Restore this version"
          run={() => rollback(version)}
        >
          Restore
        </ConfirmButton>
      )}
    </Group>
  );
}

interface DifferencesProps {
  versions: TemplateVersion[];
  before: string;
  after: string;
  setBefore: (version: string) => void;
  setAfter: (version: string) => void;
}

function Differences({ versions, before, after, setBefore, setAfter }: DifferencesProps) {
  const choices = versions.map(({ version }) => ({ value: String(version), label: `Version ${version}` }));
  const [one, other] = [before, after].map((chosen) => {
    const found = versions.find(({ version }) => String(version) === chosen);
    return found ? versionText(found) : '';
  });
  return (
    <Paper withBorder p="md" component="section" aria-label="Differences">
      <Group align="flex-end" mb="md">
        <Title order={2} size="h5" w="100%">
          Differences
        </Title>
        <Select label="From" data={choices} value={before} onChange={(chosen) => chosen && setBefore(chosen)} />
        <Select label="To" data={choices} value={after} onChange={(chosen) => chosen && setAfter(chosen)} />
      </Group>
      {one === other ? (
        <Alert color="gray">
          <Text size="sm">
            {versions.length === 1 ? 'There is only one version.' : 'The sources, sample and schema are the same.'}
          </Text>
        </Alert>
      ) : (
        <Suspense fallback={<Skeleton h={300} />}>
          <VersionDiff before={one!} after={other!} beforeLabel={`Version ${before}`} afterLabel={`Version ${after}`} />
        </Suspense>
      )}
    </Paper>
  );
}
