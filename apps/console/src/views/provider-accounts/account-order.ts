import type { Account } from './account-routes';

/** As the worker tries them: by order, the oldest first. */
export function inOrder(accounts: readonly Account[]): Account[] {
  return accounts.toSorted((one, other) => one.order - other.order || (one.id < other.id ? -1 : 1));
}

/** The orders to write so that the account moves by one place. The others are numbered so that no two are equal. */
export function movesOf(accounts: readonly Account[], id: string, by: number): { id: string; order: number }[] {
  const from = accounts.findIndex((account) => account.id === id);
  const to = from + by;
  if (from === -1 || to < 0 || to >= accounts.length) return [];
  const next = accounts.toSpliced(from, 1).toSpliced(to, 0, accounts[from]!);
  return next.flatMap((account, order) => (account.order === order ? [] : [{ id: account.id, order }]));
}
