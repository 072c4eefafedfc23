import { z } from 'zod';
import { channelIds, localeTag } from '#domain';
import { filteredPage, id, jsonObject, time } from '../http/schemas.js';

const channel = z.enum(channelIds, { error: `must be one of ${channelIds.join(', ')}` });
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

export const templateBody = z
  .strictObject({ key, channel, locale: localeTag.default('en'), content, sample_payload: jsonObject.optional() })
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
    content,
    sample_payload: jsonObject.optional(),
  })
  .meta({
    id: 'TemplateVersionBody',
    description: 'A new version. key, channel and locale cannot change; if given, they must be the present ones',
  });
export type VersionBody = z.infer<typeof versionBody>;

export const templateView = z
  .object({
    id,
    key: z.string(),
    channel,
    locale: z.string(),
    version: z.int(),
    content: jsonObject,
    sample_payload: jsonObject.nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Template' });

export const previewBody = z
  .strictObject({ payload: jsonObject.default({}), locale: localeTag.optional() })
  .meta({ id: 'PreviewBody' });
export const previewView = z
  .object({
    channel,
    locale: z.string(),
    version: z.int(),
    message: jsonObject,
    sms: z
      .object({ encoding: z.enum(['gsm7', 'ucs2']), segments: z.int(), units: z.int() })
      .optional()
      .meta({ description: 'The segments of the SMS, each of which the vendor charges for' }),
  })
  .meta({ id: 'Preview' });

export const templateParam = z.object({ id: z.string().min(1).max(255) });
export const selectorQuery = z.strictObject({ channel: channel.optional(), locale: localeTag.optional() });
export const templatesQuery = filteredPage({ key: z.string().max(255).optional(), channel: channel.optional() });
