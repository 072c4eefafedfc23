import { z } from 'zod';
import { channelIds, localeTag, templateKinds } from '#domain';
import { filteredPage, id, jsonObject, time } from '../http/schemas.js';

const channel = z.enum(channelIds);
const kind = z.enum(templateKinds);
/** Never a UUID, so that `template_id` of a send can be a key or an id. */
const key = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$/,
    'must be letters, digits, dots, dashes and underscores, beginning with a letter or digit',
  )
  .refine((text) => !z.uuid().safeParse(text).success, { error: 'must not be a UUID' });
const content = jsonObject.meta({
  description: 'Handlebars sources. The shape depends on the channel, see docs/templates.md',
});

const versionFields = {
  content,
  sample_payload: jsonObject.nullish().meta({ description: 'The payload of a preview without one' }),
  payload_schema: jsonObject
    .nullish()
    .meta({ description: 'JSON Schema (2020-12) of the payload; sends that do not match are refused' }),
  layout: key.nullish().meta({ description: 'The key of a layout on the same channel' }),
};

export const templateBody = z
  .strictObject({ key, channel, locale: localeTag.default('en'), kind: kind.default('template'), ...versionFields })
  .meta({
    id: 'TemplateBody',
    examples: [
      {
        key: 'welcome',
        channel: 'email',
        content: { subject: 'Welcome, {{name}}', text: 'Hello {{name}}.' },
        sample_payload: { name: 'Alice' },
      },
    ],
  });
export type TemplateBody = z.infer<typeof templateBody>;

export const versionBody = z
  .strictObject({
    key: key.optional(),
    channel: channel.optional(),
    locale: localeTag.optional(),
    kind: kind.optional(),
    ...versionFields,
  })
  .meta({
    id: 'TemplateVersionBody',
    description:
      'A new version. key, channel, locale and kind cannot change; if given, they must be the present ones. ' +
      'sample_payload, payload_schema and layout stay when they are not given; null removes them',
  });
export type VersionBody = z.infer<typeof versionBody>;

const versionView = {
  version: z.int(),
  content: jsonObject,
  sample_payload: jsonObject.nullable(),
  payload_schema: jsonObject.nullable(),
  layout: z.string().nullable(),
  includes: z
    .array(z.object({ key: z.string(), id, locale: z.string(), version: z.int() }))
    .meta({ description: 'The versions of the layout and the partials that this version contains' }),
  created_at: time,
};

export const templateView = z
  .object({
    id,
    key: z.string(),
    channel,
    locale: z.string(),
    kind,
    platform: z
      .boolean()
      .meta({ description: 'Whether it is a template of the platform, which tenants cannot change' }),
    ...versionView,
    updated_at: time,
  })
  .meta({ id: 'Template' });

export const templateVersionView = z.object(versionView).meta({ id: 'TemplateVersion' });

export const rollbackBody = z
  .strictObject({ version: z.int().min(1).max(2_147_483_647).meta({ description: 'The version to go back to' }) })
  .meta({ id: 'RollbackBody', examples: [{ version: 3 }] });

export const draftBody = z
  .strictObject({
    key: key.optional().meta({ description: 'Of a partial: one that includes itself is refused' }),
    channel,
    locale: localeTag.default('en'),
    kind: kind.default('template'),
    content,
    payload_schema: versionFields.payload_schema,
    layout: versionFields.layout,
    payload: jsonObject.default({}),
  })
  .meta({
    id: 'TemplateDraft',
    description: 'A version that is not stored, and the payload to render it with',
    examples: [{ channel: 'sms', content: { text: 'Hello {{name}}' }, payload: { name: 'Alice' } }],
  });
export type DraftBody = z.infer<typeof draftBody>;

export const previewBody = z
  .strictObject({ payload: jsonObject.default({}), locale: localeTag.optional() })
  .meta({ id: 'PreviewBody' });
const rendered = {
  channel,
  locale: z.string(),
  message: jsonObject,
  sms: z
    .object({ encoding: z.enum(['gsm7', 'ucs2']), segments: z.int(), units: z.int() })
    .optional()
    .meta({ description: 'The segments of the SMS, each of which the vendor charges for' }),
};
export const previewView = z.object({ version: z.int(), ...rendered }).meta({ id: 'Preview' });
export const draftView = z
  .object({
    ...rendered,
    payload_errors: z
      .array(z.object({ pointer: z.string(), code: z.string(), message: z.string() }))
      .meta({ description: 'Why a send with this payload would be refused by the payload schema' }),
  })
  .meta({ id: 'DraftPreview' });

export const templateParam = z.object({ id: z.string().min(1).max(255) });
const selectorFields = { channel: channel.optional(), locale: localeTag.optional() };
export const selectorQuery = z.strictObject(selectorFields);
export const versionsQuery = filteredPage(selectorFields);
export type VersionsQuery = z.infer<typeof versionsQuery>;
const filters = { key: z.string().max(255).optional(), channel: channel.optional(), kind: kind.optional() };
export const platformTemplatesQuery = filteredPage(filters);
export const templatesQuery = filteredPage({
  ...filters,
  include: z
    .literal('platform')
    .optional()
    .meta({ description: "platform: adds the platform's templates, which are used where the tenant has none" }),
});
export type TemplatesQuery = z.infer<typeof templatesQuery>;
