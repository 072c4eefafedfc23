import { layout } from './layout.js';

export function startPage(): string {
  return layout(
    'Carillon',
    `<div class="card"><h2><a href="/demo">The live inbox</a></h2>
<p class="soft">Send a notification to the demo recipient and watch it arrive.</p></div>
<div class="card"><h2><a href="/mailbox">The mailbox</a></h2>
<p class="soft">Messages that the sandbox captured instead of sending them.</p></div>
<div class="card"><h2><a href="/docs">The API</a></h2>
<p class="soft">All routes with their fields. The document is at <a href="/openapi.json">/openapi.json</a>.</p></div>`,
    '',
  );
}
