import type { DemoTenant } from './demo-tenant.js';
import { layout, scriptValue } from './layout.js';

/** Uses `@carillon/inbox` as a page of a tenant would: a bell, and an inbox in the page. */
export function demoPage(demo: DemoTenant): string {
  return layout(
    `${demo.recipientName}'s inbox`,
    `<div class="row">
<carillon-inbox id="bell" preferences></carillon-inbox>
<button id="send" type="button">Send one</button></div>
<p class="soft" id="status" role="status">Connecting…</p>
<carillon-inbox id="inbox" mode="inline" preferences style="--carillon-height: 70vh"></carillon-inbox>
<script type="module" src="/demo/inbox.js"></script>`,
    `const demo = ${scriptValue(demo)};\n${SCRIPT}`,
  );
}

/** Uses the constant `demo`. Your page gets its tokens from your backend, which keeps the API key. */
const SCRIPT = `const title = demo.recipientName + "'s inbox · Carillon";
const status = document.getElementById('status');
const post = (path, body) => fetch(path, {
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'X-API-Key': demo.apiKey, 'Content-Type': 'application/json' },
});
async function newToken() {
  const path = '/api/v1/recipients/' + encodeURIComponent(demo.recipientId) + '/inbox-token';
  const response = await post(path, { scopes: ['inbox:read', 'inbox:write', 'preferences:write'] });
  if (!response.ok) throw new Error('no token');
  return (await response.json()).token;
}
for (const inbox of document.querySelectorAll('carillon-inbox')) inbox.tokenProvider = newToken;
const inbox = document.getElementById('inbox');
inbox.addEventListener('carillon-unread', ({ detail: { unread } }) => {
  document.title = (unread ? '(' + unread + ') ' : '') + title;
});
inbox.addEventListener('carillon-state', ({ detail: { state } }) => {
  status.textContent = state === 'live' ? 'Live' : 'Connecting…';
});
document.getElementById('send').addEventListener('click', async () => {
  const response = await post('/api/v1/notifications', {
    recipient_id: demo.recipientId,
    channels: ['in_app', 'email'],
    template_id: 'welcome',
    payload: { name: demo.recipientName },
  });
  if (!response.ok) status.textContent = (await response.json()).detail;
});
`;
