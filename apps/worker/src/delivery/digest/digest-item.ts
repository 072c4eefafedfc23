import type { DeliveryContext } from '#database';

/** Characters. Titles of more than one line, or longer ones, are cut. */
const MAX_TITLE = 200;
const MAX_TEXT = 2_000;
/** Nesting of an item's payload. The items of a digest are three levels inside the payload of its template. */
const MAX_ITEM_DEPTH = 15;

/** An item as the template of a digest sees it. */
export interface DigestItem {
  notification_id: string;
  delivery_id: string;
  type: string | null;
  /** RFC 3339. */
  created_at: string;
  payload: Record<string, unknown>;
  /** The subject, title or first line of the item's own message. */
  title: string;
  /** The text of the item's own message. */
  text: string;
}

/** `message`: the item's own message, or null if it cannot be rendered. */
export function toDigestItem(
  { notification, createdAt }: DeliveryContext,
  deliveryId: string,
  payload: Record<string, unknown>,
  message: Record<string, unknown> | null,
): DigestItem {
  const text = String(message?.['text'] ?? message?.['body'] ?? '');
  const title = message?.['subject'] ?? message?.['title'] ?? text;
  return {
    notification_id: notification.id,
    delivery_id: deliveryId,
    type: notification.type,
    created_at: createdAt.toISOString(),
    payload: isDeeper(payload, MAX_ITEM_DEPTH) ? {} : payload,
    title: firstLine(String(title)) || (notification.type ?? 'Notification'),
    text: text.slice(0, MAX_TEXT),
  };
}

function firstLine(text: string): string {
  return text
    .trim()
    .split(/[\r\n]/, 1)[0]!
    .slice(0, MAX_TITLE);
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}
