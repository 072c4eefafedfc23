import { page } from '../pages/layout.js';

/** Asks for confirmation, so that mail scanners that open every link do not unsubscribe anyone. */
export function unsubscribePage(category: string): string {
  return page(
    'Unsubscribe',
    `<main><div class="card">
<p>You will no longer receive <strong>${escaped(category)}</strong>. Nothing else changes.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button>Unsubscribe</button></form></div></main>`,
  );
}

export function unsubscribedPage(category: string): string {
  return page(
    'Unsubscribed',
    `<main><div class="card" role="status">
<p>Done. You will no longer receive <strong>${escaped(category)}</strong>.</p>
<p class="soft">A message that is already being sent may still arrive.</p></div></main>`,
  );
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
