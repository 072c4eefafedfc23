import type {
  Carillon,
  DraftPreview,
  Template,
  TemplateBody,
  TemplateDraft,
  TemplatesListData,
  TemplatesListResponse,
  TemplatesVersionsResponse,
  TemplateVersionBody,
} from '#client';

/** The routes of a tenant's templates, or of the platform's, which have the same bodies and answers. */
export interface TemplateRoutes {
  list(query: NonNullable<TemplatesListData['query']>, signal?: AbortSignal): Promise<TemplatesListResponse>;
  get(id: string, signal?: AbortSignal): Promise<Template>;
  create(body: TemplateBody): Promise<Template>;
  put(
    id: string,
    body: TemplateVersionBody,
    selector?: { channel: Template['channel']; locale: string },
  ): Promise<Template>;
  remove(id: string): Promise<unknown>;
  versions(id: string, cursor: string | undefined, signal?: AbortSignal): Promise<TemplatesVersionsResponse>;
  rollback(id: string, version: number): Promise<Template>;
  previewDraft(body: TemplateDraft, signal?: AbortSignal): Promise<DraftPreview>;
}

export function templateRoutes(carillon: Carillon, isPlatform: boolean): TemplateRoutes {
  const routes = isPlatform ? carillon.platformTemplates : carillon.templates;
  const of = (id: string) => ({ path: { id } });
  return {
    list: ({ include, ...query }, signal) =>
      isPlatform
        ? carillon.platformTemplates.list({ query, ...(signal && { signal }) })
        : carillon.templates.list({ query: { ...query, ...(include && { include }) }, ...(signal && { signal }) }),
    get: (id, signal) => routes.get({ ...of(id), ...(signal && { signal }) }),
    create: (body) => routes.create({ body }),
    put: (id, body, query) => routes.put({ ...of(id), body, ...(query && { query }) }),
    remove: (id) => routes.delete(of(id)),
    versions: (id, cursor, signal) =>
      routes.versions({ ...of(id), query: { limit: 50, ...(cursor && { cursor }) }, ...(signal && { signal }) }),
    rollback: (id, version) => routes.rollback({ ...of(id), body: { version } }),
    previewDraft: (body, signal) => routes.previewDraft({ body, ...(signal && { signal }) }),
  };
}
