import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#config';
import { KnownTemplates, TemplatesStore } from '#database';
import type { RealtimeBus } from '#realtime';
import { instruments } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { BUS, CONFIG } from '../tokens.js';
import { CheckContent } from './check-content.js';
import { CheckPayload } from './check-payload.js';
import { CheckTemplate } from './check-template.js';
import { ManageTemplates } from './manage-templates.js';
import { PreviewTemplate } from './preview-template.js';
import { TemplatesController } from './templates.controller.js';

@Module({
  controllers: [TemplatesController],
  providers: [
    CheckContent,
    CheckPayload,
    CheckTemplate,
    ManageTemplates,
    PreviewTemplate,
    { provide: TemplateRenderer, inject: [CONFIG], useFactory: makeRenderer },
    { provide: KnownTemplates, inject: [TemplatesStore, BUS], useFactory: makeKnownTemplates },
  ],
  exports: [CheckContent, CheckPayload, KnownTemplates, ManageTemplates, PreviewTemplate, TemplateRenderer],
})
export class TemplatesModule implements OnApplicationShutdown {
  constructor(private readonly renderer: TemplateRenderer) {}

  async onApplicationShutdown(): Promise<void> {
    await this.renderer.close();
  }
}

function makeKnownTemplates(templates: TemplatesStore, bus: RealtimeBus): KnownTemplates {
  const known = new KnownTemplates(templates);
  bus.subscribe((hint) => {
    if (hint.kind === 'stale' && hint.what === 'templates') known.forget(hint.tenantId);
  });
  return known;
}

function makeRenderer({ renderThreads }: Config): TemplateRenderer {
  const renderer = new TemplateRenderer({
    threads: renderThreads,
    onRender: (how) => instruments().renders.add(1, { app: 'api', how }),
  });
  instruments().gauge('rendersWaiting', async () => [{ value: renderer.waiting, labels: { app: 'api' } }]);
  return renderer;
}
