import type { DemoTenant } from './demo-tenant.js';
import { layout, scriptValue } from './layout.js';

export function demoPage(demo: DemoTenant): string {
  return layout(
    `${demo.recipientName}'s inbox`,
    `<div class="row">
<span>Unread <span class="badge" id="unread" role="status" aria-label="unread items">0</span></span>
<button id="send" type="button">Send one</button>
<button class="plain" id="read-all" type="button">Mark all read</button></div>
<p class="soft" id="status" role="status">Connecting…</p>
<ul id="items" aria-live="polite" aria-label="Items, newest first"></ul>`,
    `const demo = ${scriptValue(demo)};\n${SCRIPT}`,
  );
}

/** Uses the constant `demo`. */
const SCRIPT = `const title = demo.recipientName + "'s inbox · Carillon";
const list = document.getElementById('items');
const badge = document.getElementById('unread');
const status = document.getElementById('status');
const headers = { 'X-API-Key': demo.apiKey, 'X-Recipient-ID': demo.recipientId, 'Content-Type': 'application/json' };
const call = (path, options = {}) => fetch(path, { ...options, headers });
const post = (path, body = {}) => call(path, { method: 'POST', body: JSON.stringify(body) });
const element = (name, text, className) => {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const rows = new Map();
let since = 0;
function mark(id, readAt) {
  const row = rows.get(id);
  if (!row) return;
  row.classList.toggle('unread', readAt === null);
  row.querySelector('button').textContent = readAt === null ? 'Mark read' : 'Mark unread';
  row.dataset.read = readAt === null ? '' : 'yes';
}
function add(item) {
  if (rows.has(item.id)) return;
  since = Math.max(since, item.seq);
  const row = element('li', '', 'card'), button = element('button', '', 'plain');
  const time = new Date(item.created_at).toLocaleString();
  row.append(element('h2', item.title), element('p', item.body), element('p', time, 'soft'), button);
  button.type = 'button';
  const path = '/api/v1/inbox/' + item.id;
  button.addEventListener('click', () => post(path + (row.dataset.read ? '/unread' : '/read')));
  rows.set(item.id, row);
  list.prepend(row);
  mark(item.id, item.read_at);
}
function counts({ unread }) {
  badge.textContent = unread;
  document.title = (unread ? '(' + unread + ') ' : '') + title;
}
const reconnect = (wait) => setTimeout(connect, wait + Math.random() * wait, Math.min(10000, wait * 2));
async function connect(wait) {
  try {
    const minted = await post('/api/v1/recipients/' + encodeURIComponent(demo.recipientId) + '/inbox-token');
    if (!minted.ok) throw new Error('no token');
    const { token } = await minted.json();
    const origin = location.origin.replace(/^http/, 'ws');
    const socket = new WebSocket(origin + '/api/v1/inbox/stream?since=' + since, ['carillon.v1', token]);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === 'ready') { status.textContent = 'Live'; wait = 250; }
      if (frame.type === 'item') add(frame.item);
      if (frame.type === 'item_changed') mark(frame.id, frame.read_at);
      if (frame.counts) counts(frame.counts);
    };
    socket.onclose = () => {
      status.textContent = 'Reconnecting…';
      reconnect(wait);
    };
  } catch {
    status.textContent = 'Carillon cannot be reached; retrying.';
    reconnect(wait);
  }
}
document.getElementById('send').addEventListener('click', async () => {
  const response = await post('/api/v1/notifications', {
    recipient_id: demo.recipientId,
    channels: ['in_app', 'email'],
    template_id: 'welcome',
    payload: { name: demo.recipientName },
  });
  if (!response.ok) status.textContent = (await response.json()).detail;
});
document.getElementById('read-all').addEventListener('click', () => post('/api/v1/inbox/read-all'));
(async () => {
  const first = await call('/api/v1/inbox?limit=50');
  if (first.ok) for (const item of (await first.json()).data.reverse()) add(item);
  connect(250);
})();
`;
