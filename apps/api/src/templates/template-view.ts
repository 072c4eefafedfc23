import type { StoredVersion, Template } from '#database';
import type { IncludedPart } from '#domain';

export function toTemplateView(template: Template) {
  return {
    id: template.id,
    key: template.key,
    channel: template.channel,
    locale: template.locale,
    kind: template.kind,
    platform: template.isPlatform,
    version: template.version,
    content: template.content,
    sample_payload: template.samplePayload,
    payload_schema: template.payloadSchema,
    layout: template.layout,
    includes: includesOf(template),
    created_at: template.createdAt.toISOString(),
    updated_at: template.updatedAt.toISOString(),
  };
}

export function toVersionView(version: StoredVersion) {
  return {
    version: version.version,
    content: version.content,
    sample_payload: version.samplePayload,
    payload_schema: version.payloadSchema,
    layout: version.layout,
    includes: includesOf(version),
    created_at: version.createdAt.toISOString(),
  };
}

function includesOf({ layout: layoutKey, includes }: Pick<Template, 'layout' | 'includes'>) {
  const { layout = null, partials = {} } = includes ?? {};
  const parts: [string, IncludedPart][] = Object.entries(partials);
  if (layout && layoutKey !== null) parts.unshift([layoutKey, layout]);
  return parts.map(([key, { id, locale, version }]) => ({ key, id, locale, version }));
}
