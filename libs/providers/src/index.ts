export { BreakerOpen, type BreakerState } from './breaker.js';
export { ConnectionFactory, type ConnectionFactoryOptions } from './connection-factory.js';
export {
  type Connection,
  maskCredentials,
  type Provider,
  type ProviderAcceptance,
  type ProviderContext,
  type ProviderMessage,
  type Receipt,
  type ReceiptCall,
  ReceiptRefused,
  type SendOptions,
} from './define-provider.js';
export { type Account, ProviderDirectory, type Sender } from './provider-directory.js';
export { providers } from './registry.js';
export { type Capacity, waitOf } from './tenant-capacity.js';
