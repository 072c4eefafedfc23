export { CarillonModule, type CarillonModuleOptions } from './carillon.module.js';
export { CarillonWebhooksModule, type CarillonWebhooksOptions } from './webhooks/carillon-webhooks.module.js';
export { type HandledEvents, MemoryOfHandledEvents } from './webhooks/handled-events.js';
export { type CarillonEventOf, type CarillonEventType, OnCarillonEvent } from './webhooks/on-carillon-event.js';
