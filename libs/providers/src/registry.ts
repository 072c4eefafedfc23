import type { Provider } from './define-provider.js';
import { smtp } from './email/smtp.provider.js';
import { sandbox } from './sandbox/sandbox.provider.js';

/** ONE LINE PER PROVIDER. */
export const providers: Readonly<Record<string, Provider>> = {
  sandbox,
  smtp,
};
