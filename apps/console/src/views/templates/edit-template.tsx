import { Alert, Button } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { Link, useNavigate, useParams } from 'react-router';
import type { Template } from '#client';
import { useAction, useRead, useScopeOfPage } from '../../api/scope';
import { ConfirmButton } from '../../page/confirm-button';
import { Loaded, Page } from '../../page/page';
import { useScope } from '../../session/session';
import type { DraftBody } from './template-draft';
import { TemplateEditor } from './template-editor';
import { TemplateLocales } from './template-locales';
import { useMayWriteTemplates } from './template-rights';
import { templateRoutes } from './template-routes';
import { TestSend } from './test-send';

export function EditTemplate() {
  const { templateId = '' } = useParams();
  const { tenantId } = useScopeOfPage();
  const template = useRead(['template', templateId], (carillon, signal) =>
    templateRoutes(carillon, tenantId === null).get(templateId, signal),
  );
  return <Loaded query={template}>{(data) => <TemplatePage template={data} />}</Loaded>;
}

function TemplatePage({ template }: { template: Template }) {
  const { id, key, channel, locale, kind, version, includes } = template;
  const { tenantId, linkTo } = useScopeOfPage();
  const mayWrite = useMayWriteTemplates();
  const maySend = useScope('notifications:write') && tenantId !== null && kind === 'template';
  const navigate = useNavigate();
  const isForeign = template.platform && tenantId !== null;
  const save = useAction<DraftBody, Template>({
    // A template of the platform is copied by its key: the tenant's own first version.
    run: (carillon, body) =>
      templateRoutes(carillon, tenantId === null).put(isForeign ? key : id, body, { channel, locale }),
    done: (saved) => `Version ${saved.version} is saved`,
    changes: ['templates', 'template', 'template_versions'],
    onDone: (saved) => saved.id !== id && void navigate(linkTo(`/templates/${saved.id}`), { replace: true }),
    quiet: true,
  });
  const remove = useAction({
    run: (carillon) => templateRoutes(carillon, tenantId === null).remove(id),
    done: `${key} is deleted`,
    changes: ['templates'],
  });
  const parts = includes.map((part) => `${part.key} (version ${part.version})`).join(', ');
  return (
    <Page
      title={key}
      about={`A ${kind} for ${channel} in ${locale}, version ${version}.${parts && ` It includes ${parts}.`}`}
      parent={{ title: 'Templates', to: linkTo('/templates') }}
      actions={
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
          {mayWrite && !isForeign && (
            <ConfirmButton
              title={`Delete ${key} in ${locale}?`}
              text={
                'It is deleted with all its versions. Sends that name it, and deliveries that wait, then use another ' +
                'locale or the template of the platform; without one, they fail.'
              }
              typed={key}
              confirm="Delete"
              run={async () => {
                await remove.mutateAsync();
                void navigate(linkTo('/templates'));
              }}
            >
              Delete
            </ConfirmButton>
          )}
        </>
      }
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
        key={`${id} ${version}`}
        place={template}
        stored={template}
        save={mayWrite ? save : undefined}
        saveLabel={isForeign ? 'Save as your own' : 'Save'}
      />
    </Page>
  );
}
