import { Alert, Button } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { Link, useNavigate, useParams } from 'react-router';
import type { Template } from '#client';
import { useAction, useMayWrite, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Loaded, Page } from '../../page/page';
import { useEdit } from '../../page/unsaved-changes';
import { useScope } from '../../session/session';
import { channelName } from '../../words/channels';
import type { DraftBody } from './template-draft';
import { TemplateEditor } from './template-editor';
import { TemplateLocales } from './template-locales';
import { templateRoutes } from './template-routes';
import { TestSend } from './test-send';

export function EditTemplate() {
  const { templateId = '' } = useParams();
  const { isPlatform } = useViewContext();
  const template = useRead(['templates', 'one', templateId], (carillon, signal) =>
    templateRoutes(carillon, isPlatform).get(templateId, signal),
  );
  return <Loaded query={template}>{(data) => <TemplatePage key={data.id} template={data} />}</Loaded>;
}

function TemplatePage({ template }: { template: Template }) {
  const { id, key, channel, locale, kind, version, includes } = template;
  const edit = useEdit(template, (one) => String(one.version));
  const { isPlatform, linkTo } = useViewContext();
  const mayWrite = useMayWrite('templates:write');
  const navigate = useNavigate();
  const isForeign = template.platform && !isPlatform;
  const save = useAction<DraftBody, Template>({
    // A template of the platform is copied by its key: the tenant's own first version.
    run: (carillon, body) => templateRoutes(carillon, isPlatform).put(isForeign ? key : id, body, { channel, locale }),
    done: (saved) => `Version ${saved.version} is saved`,
    changes: ['templates'],
    onDone: (saved) => saved.id !== id && void navigate(linkTo(`/templates/${saved.id}`), { replace: true }),
    quiet: true,
  });
  const parts = includes.map((part) => `${part.key} (version ${part.version})`).join(', ');
  const about = `A ${kind} for ${channelName(channel)} in ${locale}, version ${version}.`;
  return (
    <Page
      title={key}
      about={parts ? `${about} It includes ${parts}.` : about}
      parent={{ title: 'Templates', to: linkTo('/templates') }}
      actions={<TemplateActions template={template} mayDelete={mayWrite && !isForeign} />}
    >
      <TemplateLocales template={template} />
      {isForeign && (
        <Alert color="grape" title="A template of the platform">
          {mayWrite
            ? 'You cannot change it. Saving writes your own template with this key, which your sends then use instead.'
            : 'Your sends use it as long as you have no template with this key.'}
        </Alert>
      )}
      <TemplateEditor
        key={edit.version}
        place={template}
        stored={edit.base}
        edit={edit}
        save={mayWrite ? save : undefined}
        saveLabel={isForeign ? 'Save as your own' : 'Save'}
      />
    </Page>
  );
}

function TemplateActions({ template, mayDelete }: { template: Template; mayDelete: boolean }) {
  const { id, key, locale, kind } = template;
  const { isPlatform, linkTo } = useViewContext();
  const navigate = useNavigate();
  const maySend = useScope('notifications:write') && !isPlatform && kind === 'template';
  const remove = useAction({
    run: (carillon) => templateRoutes(carillon, isPlatform).remove(id),
    done: `${key} is deleted`,
    changes: ['templates'],
    removes: ['templates', 'one', id],
    onDone: () => navigate(linkTo('/templates'), { replace: true }),
  });
  return (
    <>
      <Button
        component={Link}
        to={linkTo(`/templates/${id}/versions`)}
        variant="default"
        leftSection={<IconHistory size={16} aria-hidden />}
      >
        Versions
      </Button>
      {maySend && <TestSend template={template} />}
      {mayDelete && (
        <ConfirmButton
          title={`Delete ${key} in ${locale}?`}
          text={
            'It is deleted with all its versions. Sends that name it, and deliveries that wait, then use another ' +
            'locale or the template of the platform; without one, they fail.'
          }
          typed={key}
          confirm="Delete"
          run={() => remove.mutateAsync()}
        >
          Delete
        </ConfirmButton>
      )}
    </>
  );
}
