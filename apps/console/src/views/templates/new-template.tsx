import { useNavigate, useSearchParams } from 'react-router';
import type { Template } from '#client';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { Loaded, Page } from '../../page/page';
import { channelName } from '../../words/channels';
import type { DraftBody, TemplatePlace } from './template-draft';
import { TemplateEditor } from './template-editor';
import { CHANNELS, starterOf } from './template-fields';
import { templateRoutes } from './template-routes';

/** `?key=…&channel=…&locale=…&kind=…`; with `copy`, the content of that template in another locale. */
export function NewTemplate() {
  const [parameters] = useSearchParams();
  const { isPlatform, linkTo } = useViewContext();
  const copied = parameters.get('copy');
  const place = placeOf(parameters);
  const source = useRead(
    ['templates', 'one', copied],
    (carillon, signal) => templateRoutes(carillon, isPlatform).get(copied!, signal),
    { enabled: copied !== null },
  );
  const { content, sample } = starterOf(place.channel, place.kind);
  const starter = { content, sample_payload: { ...sample }, payload_schema: null, layout: null };
  return (
    <Page
      title={`Create a ${place.kind}: ${place.key}`}
      about={`For ${channelName(place.channel)}, in ${place.locale}.`}
      parent={{ title: 'Templates', to: linkTo('/templates') }}
    >
      {copied === null ? (
        <CreateForm place={place} stored={starter} />
      ) : (
        <Loaded query={source}>{(template) => <CreateForm place={place} stored={template} />}</Loaded>
      )}
    </Page>
  );
}

type Stored = Pick<Template, 'content' | 'layout' | 'payload_schema' | 'sample_payload'>;

function CreateForm({ place, stored }: { place: TemplatePlace; stored: Stored }) {
  const { isPlatform, linkTo } = useViewContext();
  const navigate = useNavigate();
  const create = useAction<DraftBody, Template>({
    run: (carillon, body) => templateRoutes(carillon, isPlatform).create({ ...place, ...body }),
    done: ({ key }) => `${key} is created`,
    changes: ['templates'],
    onDone: ({ id }) => void navigate(linkTo(`/templates/${id}`), { replace: true }),
    quiet: true,
  });
  return <TemplateEditor place={place} stored={stored} isNew save={create} saveLabel="Create" />;
}

function placeOf(parameters: URLSearchParams): TemplatePlace {
  const kind = parameters.get('kind');
  return {
    key: parameters.get('key') ?? '',
    channel: CHANNELS.find((one) => one === parameters.get('channel')) ?? 'email',
    locale: parameters.get('locale') ?? 'en',
    kind: kind === 'partial' || kind === 'layout' ? kind : 'template',
  };
}
