import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#config';
import { instruments } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { CONFIG } from '../tokens.js';
import { CheckContent } from './check-content.js';
import { PreviewTemplate } from './preview-template.js';
import { TemplatesController } from './templates.controller.js';

@Module({
  controllers: [TemplatesController],
  providers: [CheckContent, PreviewTemplate, { provide: TemplateRenderer, inject: [CONFIG], useFactory: makeRenderer }],
  exports: [CheckContent, TemplateRenderer],
})
export class TemplatesModule implements OnApplicationShutdown {
  constructor(private readonly renderer: TemplateRenderer) {}

  async onApplicationShutdown(): Promise<void> {
    await this.renderer.close();
  }
}

function makeRenderer({ renderThreads }: Config): TemplateRenderer {
  const renderer = new TemplateRenderer({
    threads: renderThreads,
    onRender: (how) => instruments().renders.add(1, { app: 'api', how }),
  });
  instruments().gauge('carillon_renders_waiting', 'Templates that wait for a render thread', async () => [
    { value: renderer.waiting, attributes: { app: 'api' } },
  ]);
  return renderer;
}
