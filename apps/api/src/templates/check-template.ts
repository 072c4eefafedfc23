import { Injectable } from '@nestjs/common';
import { type NewVersion, type TemplatePlace, TemplatesStore, type TemplateWrite } from '#database';
import { type FieldError, validationFailed } from '#domain';
import { TemplateRenderer } from '#templates';
import { CheckContent } from './check-content.js';

/** Checks a new version. The store checks again what it includes, in the transaction that writes it. */
@Injectable()
export class CheckTemplate {
  constructor(
    private readonly contentChecks: CheckContent,
    private readonly renderer: TemplateRenderer,
    private readonly templates: TemplatesStore,
  ) {}

  /** Throws `validation_failed` with all errors. */
  async run(
    owner: string,
    place: TemplatePlace,
    version: Omit<NewVersion, 'uses'>,
    write: TemplateWrite,
  ): Promise<NewVersion> {
    const { errors, uses } = await this.contentChecks.stored(owner, place, version.content);
    errors.push(...templateOnlyErrors(place, version), ...(await this.schemaErrors(owner, version)));
    if (errors.length === 0) return { ...version, uses };
    // Reported together with the others.
    const { key, channel, locale, kind } = place;
    const including = { key, channel, locale, kind, layout: version.layout, uses };
    throw validationFailed([...errors, ...(await this.templates.included(owner, including, write)).faults]);
  }

  private async schemaErrors(owner: string, version: Omit<NewVersion, 'uses'>): Promise<FieldError[]> {
    const { payloadSchema, samplePayload } = version;
    if (payloadSchema === null) return [];
    const faults = this.renderer.payloads.schemaFaults(payloadSchema);
    if (faults.length > 0)
      return faults.map(({ pointer, message }) => ({
        pointer: `/payload_schema${pointer}`,
        code: 'payload_schema',
        message,
      }));
    if (samplePayload === null) return [];
    const wrong = await this.renderer.payloads.faults(owner, [JSON.stringify(payloadSchema)], samplePayload);
    return wrong.map((fault) => ({ ...fault, pointer: `/sample_payload${fault.pointer}` }));
  }
}

function templateOnlyErrors(
  { kind }: TemplatePlace,
  { payloadSchema, layout }: Omit<NewVersion, 'uses'>,
): FieldError[] {
  if (kind === 'template') return [];
  return Object.entries({ payload_schema: payloadSchema, layout }).flatMap(([field, value]) =>
    value === null ? [] : [{ pointer: `/${field}`, code: 'not_allowed', message: `a ${kind} has no ${field}` }],
  );
}
