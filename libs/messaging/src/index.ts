export { type DeliveryBatch, deliveriesPattern, type DeliveryTransport, type Transported } from './delivery-transport.js';
export { DirectTransport } from './direct-transport.js';
