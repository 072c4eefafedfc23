export {
  type Accepted,
  type Connection,
  maskCredentials,
  type Provider,
  type ProviderMessage,
  type SendOptions,
  type Surroundings,
} from './define-provider.js';
export { type Account, ProviderDirectory, type Sender } from './provider-directory.js';
export { providers } from './registry.js';
