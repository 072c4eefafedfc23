import { Badge, Group } from '@mantine/core';
import type { Template, TemplatesListData } from '#client';
import { useMayWrite, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { Time } from '../../page/time';
import { CHANNEL_CHOICES, channelName } from '../../words/channels';
import { StartTemplate } from './start-template';
import { templateRoutes } from './template-routes';

const columns: readonly Column<Template>[] = [
  { id: 'key', label: 'Key', cell: ({ key }) => key },
  { id: 'kind', label: 'Kind', cell: (template) => <KindOf template={template} /> },
  { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
  { id: 'locale', label: 'Locale', cell: ({ locale }) => locale },
  { id: 'version', label: 'Version', cell: ({ version }) => version },
  { id: 'updated_at', label: 'Changed', cell: ({ updated_at }) => <Time value={updated_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'key', label: 'Key', kind: 'text', placeholder: 'The whole key' },
  { name: 'channel', label: 'Channel', kind: 'choice', choices: CHANNEL_CHOICES },
  { name: 'kind', label: 'Kind', kind: 'choice', choices: choicesOf(['template', 'partial', 'layout']) },
];

export function TemplateList() {
  const { isPlatform, linkTo } = useViewContext();
  const mayWrite = useMayWrite('templates:write');
  const about = isPlatform
    ? 'Used by tenants that have no template of the same key and channel.'
    : 'The content of your notifications. Those of the platform are used where you have none of the same key.';
  return (
    <Page
      title={isPlatform ? 'Templates of the platform' : 'Templates'}
      about={about}
      actions={mayWrite && <StartTemplate />}
    >
      <List<Template>
        name="templates"
        columns={columns}
        fixed={{ include: 'platform' }}
        load={(carillon, query, signal) =>
          templateRoutes(carillon, isPlatform).list(query as TemplatesListData['query'] & object, signal)
        }
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/templates/${id}`)}
        filters={filters}
        empty={{
          title: 'No templates yet',
          text: 'A template is content with a key, for a channel and a locale. Sends refer to it by its key.',
        }}
      />
    </Page>
  );
}

export function KindOf({ template: { kind, platform } }: { template: Template }) {
  const { isPlatform } = useViewContext();
  return (
    <Group gap={4} display="inline-flex">
      {inWords(kind)}
      {platform && !isPlatform && (
        <Badge variant="light" color="grape" tt="none" size="sm">
          platform
        </Badge>
      )}
    </Group>
  );
}
