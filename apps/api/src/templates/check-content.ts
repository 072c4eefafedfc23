import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { type ChannelId, channelOf, type FieldError, type PartialUses, type TemplateKind } from '#domain';
import { CONTENT_NAME, TemplateRenderer } from '#templates';
import { validate } from '../http/request-schema.pipe.js';

export interface CheckedSources {
  errors: FieldError[];
  /** The partials that the content includes itself. */
  uses: PartialUses;
}

const NO_USES: PartialUses = {};
const partSource = z.string().min(1);

/** Checks content: first its shape, which depends on the channel, then the syntax of every template source in it. */
@Injectable()
export class CheckContent {
  constructor(private readonly renderer: TemplateRenderer) {}

  /** Checks the content of one send. */
  async run(tenantId: string, channelId: ChannelId, content: Record<string, unknown>): Promise<FieldError[]> {
    const { errors, uses } = await this.stored(tenantId, { channel: channelId, kind: 'template' }, content);
    const message = 'only a stored template can include partials';
    return [...errors, ...errorsAt(uses, () => message)];
  }

  /** Checks the content of a template, partial or layout. Whether the partials exist is checked when it is written. */
  async stored(
    tenantId: string,
    { channel: channelId, kind }: { channel: ChannelId; kind: TemplateKind },
    content: Record<string, unknown>,
  ): Promise<CheckedSources> {
    const channel = channelOf(channelId);
    const shape = kind === 'template' ? channel.content : partShape(channel.fields);
    const { errors: invalid } = validate(shape, content);
    if (invalid)
      return { errors: invalid.map((error) => ({ ...error, pointer: `/content${error.pointer}` })), uses: NO_USES };
    if (Object.keys(content).length === 0) {
      const message = `needs one of ${Object.keys(channel.fields).join(', ')}`;
      return { errors: [{ pointer: '/content', code: 'required', message }], uses: NO_USES };
    }
    const { faults, uses } = await this.renderer.check(channel, content, tenantId);
    const errors = faults.map(({ pointer, message }) => ({
      pointer: `/content${pointer}`,
      code: 'template_syntax',
      message,
    }));
    return { errors: [...errors, ...(kind === 'layout' ? layoutErrors(content, uses) : strayContent(uses))], uses };
  }
}

/** A partial or a layout has some of the fields of its channel, each a source. */
function partShape(fields: Readonly<Record<string, unknown>>): z.ZodType {
  const sources = Object.fromEntries(Object.keys(fields).map((field) => [field, partSource.optional()]));
  return z.strictObject(sources);
}

/** `{{> @content}}` outside a layout. */
function strayContent(uses: PartialUses): FieldError[] {
  const message = `only a layout has {{> ${CONTENT_NAME}}}`;
  return errorsAt(uses, (name) => (name === CONTENT_NAME ? message : null));
}

/** Every field of a layout names the place of the content once. */
function layoutErrors(content: Record<string, unknown>, uses: PartialUses): FieldError[] {
  return Object.keys(content).flatMap((field) => {
    const places = (uses[field] ?? []).filter(({ name }) => name === CONTENT_NAME);
    if (places.length === 1) return [];
    const message = `needs {{> ${CONTENT_NAME}}} exactly once, got it ${places.length} times`;
    return [{ pointer: `/content/${field}`, code: 'template_syntax', message }];
  });
}

function errorsAt(uses: PartialUses, messageOf: (name: string) => string | null): FieldError[] {
  return Object.entries(uses).flatMap(([field, list]) =>
    list.flatMap(({ name, line, column }) => {
      const message = messageOf(name);
      if (message === null) return [];
      const place = `line ${line}, column ${column}: ${message}`;
      return [{ pointer: `/content/${field}`, code: 'template_syntax', message: place }];
    }),
  );
}
