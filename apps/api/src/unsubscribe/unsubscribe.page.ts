import { page } from '../pages/layout.js';

/** Asks before it acts: programs that look at every link of a mail must not unsubscribe anybody. */
export function unsubscribePage(category: string): string {
  return page(
    'Unsubscribe',
    `<main><div class="card"><p>You will not get <strong>${escaped(category)}</strong> any more. Everything else stays as it is.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form></div></main>`,
  );
}

export function unsubscribedPage(category: string): string {
  return page(
    'Unsubscribed',
    `<main><div class="card" role="status"><p>Done. You will not get <strong>${escaped(category)}</strong> any more.</p>
<p class="soft">A message that was already on its way may still arrive.</p></div></main>`,
  );
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
