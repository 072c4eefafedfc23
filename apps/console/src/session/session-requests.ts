import { withHeaders } from '../api/connection';
import { keepFiltersOf, removeFilters } from '../list/filter-storage';
import type { Session, SignedOut } from './session';

export async function readSession(): Promise<Session | SignedOut> {
  const session = (await call('GET')) as Session | SignedOut;
  if (session.signed_in) keepFiltersOf(session);
  return session;
}

/** Throws an `Error` whose message is for the person who signs in. */
export async function signIn(credentials: object): Promise<Session> {
  const session = (await call('POST', credentials)) as Session;
  keepFiltersOf(session);
  return session;
}

export async function signOut(): Promise<void> {
  await call('DELETE');
  removeFilters();
}

async function call(method: string, body?: object): Promise<unknown> {
  const request = new Request('/console/session', {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  const answer = await fetch(withHeaders(request, null)).catch(() => {
    throw new Error('Carillon cannot be reached. Check that it is running, then try again.');
  });
  const content: unknown = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return content;
  const detail = (content as { detail?: string } | null)?.detail;
  throw new Error(detail ?? `Carillon answered with the status ${answer.status}.`);
}
