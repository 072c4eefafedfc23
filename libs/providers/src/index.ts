export { BreakerOpen, type BreakerState } from './breaker.js';
export { Connector, type ConnectorOptions } from './connector.js';
export {
  type Accepted,
  type Connection,
  maskCredentials,
  type Provider,
  type ProviderMessage,
  type Receipt,
  type ReceiptCall,
  ReceiptRefused,
  type SendOptions,
  type Surroundings,
} from './define-provider.js';
export { type Places, waitOf } from './headroom.js';
export { type Account, ProviderDirectory, type Sender } from './provider-directory.js';
export { providers } from './registry.js';
