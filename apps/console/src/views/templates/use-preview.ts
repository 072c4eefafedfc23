import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { DraftPreview, TemplateDraft } from '#client';
import { failureOf } from '../../api/failures';
import { useViewContext } from '../../api/view-context';
import { templateRoutes } from './template-routes';

const TYPING_MS = 400;

export interface PreviewState {
  /** The last one that could be rendered. */
  preview: DraftPreview | null;
  /** Whether it is older than the draft. */
  isOld: boolean;
  /** By pointer: `/content/html`. */
  faults: Record<string, string>;
  /** A failure that is not about the draft. */
  error: unknown;
}

/** Renders the draft once typing stops. `draft` is null while it has faults of its own. */
export function usePreview(draft: TemplateDraft | null): PreviewState {
  const { tenantId, isPlatform, carillon } = useViewContext();
  const [settled] = useDebouncedValue(draft && JSON.stringify(draft), TYPING_MS);
  const query = useQuery({
    queryKey: [tenantId, 'template_preview', settled],
    queryFn: ({ signal }) =>
      templateRoutes(carillon, isPlatform).previewDraft(JSON.parse(settled!) as TemplateDraft, signal),
    enabled: settled !== null,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
  const [last, setLast] = useState<DraftPreview | null>(null);
  useEffect(() => {
    if (query.data) setLast(query.data);
  }, [query.data]);
  const failure = query.error && failureOf(query.error);
  const isAboutDraft = failure !== null && Object.keys(failure.fields).length > 0;
  return {
    preview: query.data ?? last,
    isOld: query.isPlaceholderData || query.isError || settled !== (draft && JSON.stringify(draft)),
    faults: isAboutDraft ? failure.fields : {},
    error: isAboutDraft ? null : query.error,
  };
}
