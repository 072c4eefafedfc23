import type { ProviderAccount } from '#database';

export function toAccountView(account: ProviderAccount) {
  const { createdAt, updatedAt, ...fields } = account;
  return { ...fields, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}
