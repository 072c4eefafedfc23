import { Inject, Injectable } from '@nestjs/common';
import {
  KnownTemplates,
  type Page,
  type PageRequest,
  type StoredVersion,
  type Template,
  type TemplateSelector,
  TemplatesStore,
  TemplateVersionsStore,
  type TemplateWrite,
} from '#database';
import { DomainError, isId, notFound, PLATFORM_TENANT_ID, validationFailed } from '#domain';
import type { RealtimeBus } from '#realtime';
import { BUS } from '../tokens.js';
import { CheckTemplate } from './check-template.js';
import type { TemplateBody, VersionBody } from './template.schema.js';

/** Templates, partials and layouts of one owner: a tenant or the platform. */
@Injectable()
export class ManageTemplates {
  constructor(
    private readonly templates: TemplatesStore,
    private readonly templateVersions: TemplateVersionsStore,
    private readonly checkTemplate: CheckTemplate,
    private readonly known: KnownTemplates,
    @Inject(BUS) private readonly bus: RealtimeBus,
  ) {}

  /** Throws `validation_failed` and `conflict`. */
  async create(owner: string, body: TemplateBody, write: TemplateWrite): Promise<Template> {
    const { key, channel, locale, kind, content } = body;
    const place = { key, channel, locale, kind };
    const given = {
      content,
      samplePayload: body.sample_payload ?? null,
      payloadSchema: body.payload_schema ?? null,
      layout: body.layout ?? null,
    };
    const version = await this.checkTemplate.run(owner, place, given, write);
    const created = await this.templates.create(owner, { ...place, ...version }, write);
    this.announce(owner);
    return created;
  }

  /** The owner's template, or else the platform's. Throws `not_found` and `conflict`. */
  async get(owner: string, selector: TemplateSelector): Promise<Template> {
    const found =
      (await this.templates.get(owner, selector)) ?? (await this.templates.get(PLATFORM_TENANT_ID, selector));
    if (!found) throw notFound('template', selector.idOrKey);
    return found;
  }

  /**
   * Writes a new version. If only the platform has the key, it writes the first version of the tenant's own template.
   * Throws `not_found`, `conflict` and `validation_failed`.
   */
  async put(owner: string, selector: TemplateSelector, body: VersionBody, write: TemplateWrite): Promise<Template> {
    const found = await this.get(owner, selector);
    checkUnchanged(found, body);
    const isCopy = found.isPlatform && owner !== PLATFORM_TENANT_ID;
    if (isCopy && isId(selector.idOrKey)) {
      const key = JSON.stringify(found.key);
      throw new DomainError(
        'conflict',
        `${found.id} is a template of the platform. PUT its key ${key} to make a copy.`,
      );
    }
    const given = {
      content: body.content,
      samplePayload: body.sample_payload === undefined ? found.samplePayload : body.sample_payload,
      payloadSchema: body.payload_schema === undefined ? found.payloadSchema : body.payload_schema,
      layout: body.layout === undefined ? found.layout : body.layout,
    };
    const version = await this.checkTemplate.run(owner, found, given, write);
    const { key, channel, locale, kind, id } = found;
    const next = isCopy
      ? await this.templates.create(owner, { key, channel, locale, kind, ...version }, write)
      : await this.templates.addVersion(owner, { idOrKey: id }, version, write);
    if (!next) throw notFound('template', selector.idOrKey);
    this.announce(owner);
    return next;
  }

  /** The versions of the owner's template, or else of the platform's. Throws `not_found` and `conflict`. */
  async versions(owner: string, selector: TemplateSelector, page: PageRequest): Promise<Page<StoredVersion>> {
    const { id, isPlatform } = await this.get(owner, selector);
    return await this.templateVersions.list(owner, { owner: isPlatform ? PLATFORM_TENANT_ID : owner, id }, page);
  }

  /**
   * Writes a new version with the content, sample payload, schema and layout of an earlier one, and with the partials
   * of today. Throws `not_found`, `conflict` and `validation_failed`.
   */
  async rollback(owner: string, selector: TemplateSelector, to: number, write: TemplateWrite): Promise<Template> {
    const found = await this.templates.get(owner, selector);
    if (!found) throw notFound('template', selector.idOrKey);
    const { id } = found;
    const earlier = await this.templateVersions.get(owner, { owner, id }, to);
    if (!earlier) {
      const message = `there is no version ${to}; the newest is ${found.version}`;
      throw validationFailed([{ pointer: '/version', code: 'unknown_version', message }]);
    }
    const { content, samplePayload, payloadSchema, layout } = earlier;
    const given = { content, samplePayload, payloadSchema, layout };
    const version = await this.checkTemplate.run(owner, found, given, write);
    const next = await this.templates.addVersion(owner, { idOrKey: id }, version, write);
    if (!next) throw notFound('template', selector.idOrKey);
    this.announce(owner);
    return next;
  }

  /** Throws `not_found` and `conflict`. */
  async delete(owner: string, selector: TemplateSelector, { audit }: TemplateWrite): Promise<void> {
    const isDeleted = await this.templates.delete(owner, selector, audit);
    if (!isDeleted) throw notFound('template', selector.idOrKey);
    this.announce(owner);
  }

  /** Other processes look the templates up again when they get the hint, at the latest after 30 seconds. */
  private announce(owner: string): void {
    this.known.forget(owner);
    this.bus.publish([{ kind: 'stale', tenantId: owner, what: 'templates' }]);
  }
}

/** Throws `validation_failed` when the body names another key, channel, locale or kind than the template has. */
function checkUnchanged(template: Template, body: VersionBody): void {
  const errors = (['key', 'channel', 'locale', 'kind'] as const).flatMap((field) => {
    const [current, given] = [template[field], body[field]].map((value) => JSON.stringify(value));
    if (given === undefined || given === current) return [];
    return [{ pointer: `/${field}`, code: 'immutable', message: `is ${current} and cannot be changed, got ${given}` }];
  });
  if (errors.length > 0) throw validationFailed(errors);
}
