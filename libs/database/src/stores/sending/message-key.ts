/**
 * SQL for `due_deliveries.message_key`, from the columns id, tenant_id, ordering_key, recipient_id and channel.
 * Deliveries with the same key are published to one Kafka partition, and a worker processes them one after the other.
 * carillon_ordering_lock() hashes the same text of deliveries with an ordering key.
 *
 * The recipient of a webhook is its endpoint, which may have thousands of deliveries waiting; without an ordering key
 * their order is not promised, so each has a key of its own.
 */
export const MESSAGE_KEY = `hashtext(tenant_id::text
  || coalesce(ordering_key, case when channel = 'webhook' then id::text else recipient_id end))`;
