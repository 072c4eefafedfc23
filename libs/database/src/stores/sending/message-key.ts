/**
 * SQL for `due_deliveries.message_key`, from the columns tenant_id, ordering_key and recipient_id. Deliveries with the
 * same key are published to one Kafka partition, in order. carillon_ordering_lock() hashes the same text of deliveries
 * with an ordering key.
 */
export const MESSAGE_KEY = 'hashtext(tenant_id::text || coalesce(ordering_key, recipient_id))';
