import type { DemoTenant } from './demo-tenant.js';
import { layout, scriptValue } from './layout.js';

export function mailboxPage(demo: DemoTenant): string {
  return layout(
    'Mailbox',
    `<div class="row"><p class="soft" id="status" role="status">Looking…</p><button class="plain" id="empty" type="button">Empty the mailbox</button></div>
<ul id="messages" aria-label="Messages the sandbox took, newest first"></ul>`,
    `
const key = ${scriptValue(demo.apiKey)};
const list = document.getElementById('messages'), status = document.getElementById('status');
const call = (path, options = {}) => fetch(path, { ...options, headers: { 'X-API-Key': key } });
const element = (name, text, className) => { const node = document.createElement(name); if (text) node.textContent = text; if (className) node.className = className; return node; };
let known = '';
function draw(messages) {
  list.replaceChildren(...messages.map(({ channel, to, message, outcome, created_at }) => {
    const item = element('li', '', 'card');
    item.append(element('h2', message.subject ?? message.title ?? message.text ?? message.body ?? 'Message'));
    item.append(element('p', channel + ' to ' + to + ' · ' + new Date(created_at).toLocaleString() + ' · ' + outcome, 'soft'));
    if (message.html) {
      const frame = element('iframe');
      frame.setAttribute('sandbox', '');
      frame.title = 'The message as HTML';
      frame.srcdoc = message.html;
      item.append(frame);
    }
    const text = message.text ?? (message.title ? message.body : undefined);
    if (text && (message.subject || message.title)) item.append(element('pre', text));
    return item;
  }));
}
async function look() {
  try {
    const answer = await call('/api/v1/mailbox?limit=50');
    if (!answer.ok) throw new Error('the server answered ' + answer.status);
    const text = await answer.text();
    if (text !== known) {
      known = text;
      const { data, next_cursor } = JSON.parse(text);
      draw(data);
      status.textContent = data.length === 0 ? 'Nothing yet. Paste the curl of the start banner, or press the button on the inbox page.' : data.length + (next_cursor ? ' newest messages' : data.length === 1 ? ' message' : ' messages');
    }
  } catch (error) {
    known = '';
    status.textContent = 'Carillon cannot be reached (' + error.message + '); trying again.';
  }
  setTimeout(look, 1000);
}
document.getElementById('empty').addEventListener('click', async () => { await call('/api/v1/mailbox', { method: 'DELETE' }); });
look();
`,
  );
}
