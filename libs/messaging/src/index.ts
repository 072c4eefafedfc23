export {
  type DeliveryBatch,
  type DeliveryTransport,
  deliveriesPattern,
  type Transported,
} from './delivery-transport.js';
export { DirectTransport } from './direct-transport.js';
