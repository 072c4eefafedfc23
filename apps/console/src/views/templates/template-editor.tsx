import { Grid, Select, Stack } from '@mantine/core';
import type { UseMutationResult } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Template } from '#client';
import { failureOf } from '../../api/failures';
import { useRead, useViewContext } from '../../api/view-context';
import { SaveButtons } from '../../form/save-buttons';
import { useLockedFields } from '../../form/use-locked-fields';
import { LoadError } from '../../page/load-error';
import { type Edit, UnsavedChanges } from '../../page/unsaved-changes';
import { ContentEditors } from './content-editors';
import { FaultList } from './fault-list';
import { PayloadPanel } from './payload-panel';
import { PreviewPanel } from './preview/preview-panel';
import {
  type Draft,
  type DraftBody,
  sourcesOf,
  type TemplatePlace,
  toBody,
  toDraft,
  toPreviewBody,
} from './template-draft';
import { templateRoutes } from './template-routes';
import { usePreview } from './use-preview';

interface EditorProps {
  place: TemplatePlace;
  stored: Pick<Template, 'content' | 'layout' | 'payload_schema' | 'sample_payload'>;
  isNew?: boolean;
  edit?: Edit<unknown>;
  /** Undefined if it may not be changed. */
  save: UseMutationResult<Template, Error, DraftBody> | undefined;
  saveLabel: string;
}

/** The sources on the left, and the message as a recipient gets it on the right. */
export function TemplateEditor({ place, stored, isNew = false, edit, save, saveLabel }: EditorProps) {
  const first = useMemo(() => toDraft(place, stored), [place, stored]);
  const [draft, setDraft] = useState(first);
  const { body, faults: ownFaults } = toBody(place, draft);
  const isChanged = JSON.stringify(draft) !== JSON.stringify(first);
  const isReadable = Object.keys(ownFaults).length === 0;
  const state = usePreview(isReadable ? toPreviewBody(place, body) : null);
  const lockedFields = useLockedFields(save?.isPending ?? false);
  const saveFailure = save?.error ? failureOf(save.error) : null;
  const faults = { ...state.faults, ...saveFailure?.fields, ...ownFaults };
  const hasFieldFaults = saveFailure !== null && Object.keys(saveFailure.fields).length > 0;

  function change(changed: Partial<Draft>): void {
    setDraft({ ...draft, ...changed });
    if (save && !save.isIdle && !save.isPending) save.reset();
  }

  return (
    <Stack>
      <UnsavedChanges isChanged={isChanged || isNew} save={save} edit={edit} />
      <Grid gap="lg" {...lockedFields}>
        <Grid.Col span={{ base: 12, lg: 6 }}>
          <Stack>
            <ContentEditors
              place={place}
              texts={draft.texts}
              change={save && ((texts) => change({ texts }))}
              faults={faults}
            />
            {place.kind === 'template' && (
              <LayoutChoice place={place} value={draft.layout} change={save && ((layout) => change({ layout }))} />
            )}
            <FaultList place={place} faults={faults} />
            {save?.error && !hasFieldFaults && <LoadError error={save.error} />}
            {save && (
              <SaveButtons
                label={saveLabel}
                isChanged={isChanged}
                maySave={isReadable && (isChanged || isNew)}
                isBusy={save.isPending}
                save={() => save.mutate(body)}
                discard={() => change(first)}
              />
            )}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 6 }}>
          <Stack>
            <PreviewPanel place={place} state={state} />
            <PayloadPanel
              sources={sourcesOf(draft)}
              isTemplate={place.kind === 'template'}
              payload={draft.payload}
              schema={draft.schema}
              change={change}
              faults={faults}
              payloadErrors={state.preview?.payload_errors ?? []}
            />
          </Stack>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}

interface LayoutChoiceProps {
  place: TemplatePlace;
  value: string;
  change: ((layout: string) => void) | undefined;
}

function LayoutChoice({ place: { channel }, value, change }: LayoutChoiceProps) {
  const { isPlatform } = useViewContext();
  const layouts = useRead(['templates', 'layouts', channel], (carillon, signal) =>
    templateRoutes(carillon, isPlatform).list({ channel, kind: 'layout', include: 'platform', limit: 200 }, signal),
  );
  const keys = new Set([...(layouts.data?.data ?? []).map(({ key }) => key), ...(value ? [value] : [])]);
  if (keys.size === 0) return null;
  return (
    <Select
      label="Layout"
      description="Around the content of this template"
      placeholder="None"
      data={[...keys]}
      value={value || null}
      onChange={(layout) => change?.(layout ?? '')}
      clearable
      disabled={!change}
      maw={320}
    />
  );
}
