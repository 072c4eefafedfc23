import type { Config } from '#config';
import { instruments } from '#telemetry';
import { TemplateRenderer } from '#templates';

export function makeRenderer({ renderThreads }: Config): TemplateRenderer {
  const renderer = new TemplateRenderer({
    threads: renderThreads,
    onRender: (how) => instruments().renders.add(1, { app: 'worker', how }),
  });
  instruments().gauge('carillon_renders_waiting', 'Renders that wait for a thread', async () => [
    { value: renderer.waiting, attributes: { app: 'worker' } },
  ]);
  return renderer;
}
