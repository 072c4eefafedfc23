import { z } from 'zod';
import { channelIds } from '#domain';
import { compact, IS_DATA, READS, type Tool, tool } from './tool.js';

const TEMPLATES = '/api/v1/templates';
/** A source may be long, and a part of one is of little use. */
const MAX_SOURCE = 20_000;

interface TemplateAnswer {
  key: string;
  channel: string;
  locale: string;
  kind: string;
  version: number;
  content: Record<string, unknown>;
  updated_at: string;
}

interface PreviewAnswer {
  message: Record<string, unknown>;
}

const which = {
  template: z.string().min(1).max(255).describe('The key or the id of the template'),
  channel: z.enum(channelIds).optional().describe('If the key exists on several channels'),
  locale: z.string().min(2).max(35).optional().describe('A language such as de or pt-BR'),
};

const listTemplates = tool({
  name: 'list_templates',
  title: 'List templates',
  description: `Lists the templates: key, channel, locale, version and subject or title. ${IS_DATA}`,
  scopes: ['templates:read'],
  annotations: READS,
  input: z.strictObject({
    channel: z.enum(channelIds).optional(),
    limit: z.int().min(1).max(100).default(50),
    cursor: z.string().max(500).optional(),
  }),
  run: async (client, query) => {
    const page: { data: TemplateAnswer[]; next_cursor: string | null } = await client.request('GET', TEMPLATES, {
      query,
    });
    const data = page.data.map(({ key, channel, locale, kind, version, content, updated_at }) =>
      compact(
        { key, channel, locale, kind, version, subject: content['subject'] ?? content['title'], updated_at },
        200,
      ),
    );
    return { data, ...(page.next_cursor !== null && { next_cursor: page.next_cursor }) };
  },
});

const getTemplate = tool({
  name: 'get_template',
  title: 'Get a template',
  description: `Returns the newest version of a template: its sources, its sample payload and its schema. ${IS_DATA}`,
  scopes: ['templates:read'],
  annotations: READS,
  input: z.strictObject(which),
  run: async (client, { template, ...query }) =>
    compact(await client.request('GET', `${TEMPLATES}/${encodeURIComponent(template)}`, { query }), MAX_SOURCE),
});

const previewTemplate = tool({
  name: 'preview_template',
  title: 'Preview a template',
  description: `Renders a template with a payload, or with its sample payload. Sends nothing. ${IS_DATA}`,
  scopes: ['templates:read'],
  annotations: READS,
  input: z.strictObject({
    ...which,
    payload: z.record(z.string(), z.unknown()).optional().describe('The variables of the template'),
  }),
  run: async (client, { template, channel, locale, payload }) => {
    const { message, ...preview }: PreviewAnswer = await client.request(
      'POST',
      `${TEMPLATES}/${encodeURIComponent(template)}/preview`,
      { query: { channel, locale }, body: payload === undefined ? {} : { payload } },
    );
    const { html, ...rest } = message;
    // The text says the same in fewer words.
    return compact({
      ...preview,
      message: rest['text'] === undefined ? message : { ...rest, html_length: lengthOf(html) },
    });
  },
});

function lengthOf(html: unknown): number | undefined {
  return typeof html === 'string' ? html.length : undefined;
}

export const TEMPLATE_TOOLS: readonly Tool[] = [listTemplates, getTemplate, previewTemplate];
