import type { Database } from '../../database.js';
import type { SecretBox } from '../../secrets/secret-box.js';
import { placeOfAnswer, type StoredResponse } from '../idempotency.store.js';
import { AddressSearch } from './address-search.js';

/** Opening an answer takes some 10 µs. */
const BATCH = 500;

/** Index: erasures_pkey. */
const ADDRESSES = 'select addresses from erasures where tenant_id = $1 and recipient_id = $2';

/** Index: idempotency_keys_sealed_idx. */
const ANSWERS = `
select key, response_sealed as sealed from idempotency_keys
where tenant_id = $1 and key > $2 and response_sealed is not null order by key limit ${BATCH}`;

/** Index: idempotency_keys_pkey. */
const ERASE = 'update idempotency_keys set response_sealed = null where tenant_id = $1 and key = any ($2::text[])';

/**
 * Erases stored answers to POST requests in which a value is the recipient, or in which a text contains an address.
 * They are sealed, so they are searched here and not in the database. Also erases an answer that does not open. A
 * repetition of such a request is rejected as `idempotency_unknown`.
 */
export async function eraseAnswers(
  database: Database,
  box: SecretBox,
  tenantId: string,
  recipientId: string,
): Promise<void> {
  const [erasure] = await database.queryForTenant<{ addresses: string[] }>(tenantId, {
    text: ADDRESSES,
    values: [tenantId, recipientId],
  });
  const addresses = new AddressSearch(erasure?.addresses ?? []);
  const location = `/api/v1/recipients/${encodeURIComponent(recipientId)}/`;
  const isPersonal = (key: string, sealed: string): boolean => {
    try {
      const answer = JSON.parse(box.open(sealed, placeOfAnswer(tenantId, key))) as StoredResponse;
      const isFound = (text: string): boolean => text === recipientId || addresses.isIn(text);
      return answer.location?.startsWith(location) === true || contains(answer, isFound);
    } catch {
      return true;
    }
  };
  let after = '';
  for (let found = BATCH; found === BATCH; ) {
    const rows = await database.queryForTenant<{ key: string; sealed: string }>(tenantId, {
      text: ANSWERS,
      values: [tenantId, after],
    });
    const keys = rows.filter(({ key, sealed }) => isPersonal(key, sealed)).map(({ key }) => key);
    if (keys.length > 0) await database.queryForTenant(tenantId, { text: ERASE, values: [tenantId, keys] });
    found = rows.length;
    after = rows.at(-1)?.key ?? after;
  }
}

/** Whether a string or a field's name is found anywhere in the value. */
function contains(value: unknown, isFound: (text: string) => boolean): boolean {
  if (typeof value === 'string') return isFound(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([name, inner]) => (!Array.isArray(value) && isFound(name)) || contains(inner, isFound),
  );
}
