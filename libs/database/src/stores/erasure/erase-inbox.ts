import type { Statement } from '../../statement.js';
import { INBOX_COUNTS } from '../inbox-item.js';

const LOCK_COUNTER = 'select from inbox_counters where tenant_id = $1 and recipient_id = $2 for update';

/** $3: the time of the request. */
const DELETE_ITEMS = `
with deleted as (
  delete from inbox_items where tenant_id = $1 and recipient_id = $2 and created_at <= $3 returning 1
)
select count(*)::int as inbox_items from deleted`;

const RECOUNT = `
update inbox_counters c set total = i.total, unread = i.unread, unseen = i.unseen
from (select ${INBOX_COUNTS} from inbox_items where tenant_id = $1 and recipient_id = $2) i
where c.tenant_id = $1 and c.recipient_id = $2`;

const DELETE_COUNTER = `
delete from inbox_counters
where tenant_id = $1 and recipient_id = $2
  and not exists (select from inbox_items where tenant_id = $1 and recipient_id = $2)`;

/**
 * Deletes the items that were written before the request. Later ones are those of a recipient who came back:
 * eraseNotifications has deleted the others. The counters are locked first: a record that is inserting an item holds
 * their row, and its item is visible to the next statement. Indexes: inbox_counters_pkey, inbox_items_pkey.
 */
export function eraseInbox(tenantId: string, recipientId: string, requestedAt: string): Statement[] {
  const values = [tenantId, recipientId];
  return [
    { text: LOCK_COUNTER, values },
    { text: DELETE_ITEMS, values: [...values, requestedAt] },
    { text: RECOUNT, values },
    { text: DELETE_COUNTER, values },
  ];
}
