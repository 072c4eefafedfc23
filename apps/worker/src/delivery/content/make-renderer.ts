import type { Config } from '#config';
import { instruments } from '#telemetry';
import { TemplateRenderer } from '#templates';

export function makeRenderer({ renderThreads }: Config): TemplateRenderer {
  const renderer = new TemplateRenderer({
    threads: renderThreads,
    onRender: (how) => instruments().renders.add(1, { app: 'worker', how }),
  });
  instruments().gauge('rendersWaiting', async () => [{ value: renderer.waiting, labels: { app: 'worker' } }]);
  return renderer;
}
