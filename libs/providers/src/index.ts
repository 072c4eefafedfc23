export { type AccountChecks, allowedAccounts, checksOf } from './allowed-accounts.js';
export { BreakerOpen, type BreakerState } from './capacity/breaker.js';
export { type Capacity, secondsUntilAvailable } from './capacity/tenant-capacity.js';
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
export { ProviderDirectory } from './provider-directory.js';
export { providers } from './registry.js';
export type { Account, Sender } from './sender.js';
export { isChoiceEntry } from './sender-choice.js';
