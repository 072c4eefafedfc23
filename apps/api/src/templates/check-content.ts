import { Injectable } from '@nestjs/common';
import { type ChannelId, channelOf, type FieldError } from '#domain';
import { TemplateRenderer } from '#templates';
import { fieldErrorsOf } from '../http/request-schema.pipe.js';

/** Checks content: first its shape, which depends on the channel, then the syntax of every template source in it. */
@Injectable()
export class CheckContent {
  constructor(private readonly renderer: TemplateRenderer) {}

  async run(tenantId: string, channelId: ChannelId, content: Record<string, unknown>): Promise<FieldError[]> {
    const channel = channelOf(channelId);
    const shape = channel.content.safeParse(content);
    if (!shape.success)
      return fieldErrorsOf(shape.error.issues, content).map((error) => ({
        ...error,
        pointer: `/content${error.pointer}`,
      }));
    const errors = await this.renderer.faults(channel, content, tenantId);
    return errors.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, code: 'template_syntax', message }));
  }
}
