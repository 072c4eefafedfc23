import { layout } from './layout.js';

export function startPage(): string {
  return layout(
    'Carillon',
    `<div class="card"><h2><a href="/demo">The live inbox</a></h2><p class="soft">Send something to the demo recipient and watch it arrive.</p></div>
<div class="card"><h2><a href="/mailbox">The mailbox</a></h2><p class="soft">What the sandbox took instead of a vendor.</p></div>
<div class="card"><h2><a href="/docs">The API</a></h2><p class="soft">Every route, with its fields; the document itself is at <a href="/openapi.json">/openapi.json</a>.</p></div>`,
    '',
  );
}
