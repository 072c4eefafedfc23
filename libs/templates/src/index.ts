export { CONTENT_NAME } from './check-source.ts';
export { Composed, type Content } from './fields.ts';
export { SharedPayload } from './payload.ts';
export type { ContentFault } from './render-job.ts';
export { RendererBusy } from './render-pool.ts';
export { type PayloadLayer, type RenderEvent, TemplateRenderer } from './renderer.ts';
export { TemplateFault } from './template-fault.ts';
