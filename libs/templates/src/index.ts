export { TemplateFault } from './check-source.js';
export { type Content, type ContentFault, TemplateRenderer } from './renderer.js';
