import type { DemoTenant } from './demo-tenant.js';
import { layout, scriptValue } from './layout.js';

export function mailboxPage(demo: DemoTenant): string {
  return layout(
    'Mailbox',
    `<div class="row"><p class="soft" id="status" role="status">Loading…</p>
<button class="plain" id="empty" type="button">Empty the mailbox</button></div>
<ul id="messages" aria-label="Messages captured by the sandbox, newest first"></ul>`,
    `const demo = ${scriptValue(demo)};\n${SCRIPT}`,
  );
}

/** Uses the constant `demo`. */
const SCRIPT = `const list = document.getElementById('messages'), status = document.getElementById('status');
const call = (path, options = {}) => fetch(path, { ...options, headers: { 'X-API-Key': demo.apiKey } });
const element = (name, text, className) => {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
};
let shown = '';
function draw(messages) {
  list.replaceChildren(...messages.map(({ channel, to, message, outcome, created_at }) => {
    const item = element('li', '', 'card');
    item.append(element('h2', message.subject ?? message.title ?? message.text ?? message.body ?? 'Message'));
    const time = new Date(created_at).toLocaleString();
    item.append(element('p', channel + ' to ' + to + ' · ' + time + ' · ' + outcome, 'soft'));
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
function summary(count, hasMore) {
  if (count === 0) return 'Nothing yet. Run the curl command of the start banner or press the button on /demo.';
  return count + (hasMore ? ' newest messages' : count === 1 ? ' message' : ' messages');
}
async function poll() {
  try {
    const response = await call('/api/v1/mailbox?limit=50');
    if (!response.ok) throw new Error('status ' + response.status);
    const text = await response.text();
    if (text !== shown) {
      shown = text;
      const { data, next_cursor } = JSON.parse(text);
      draw(data);
      status.textContent = summary(data.length, next_cursor !== null);
    }
  } catch (error) {
    shown = '';
    status.textContent = 'Carillon cannot be reached (' + error.message + '); retrying.';
  }
  setTimeout(poll, 1000);
}
document.getElementById('empty').addEventListener('click', () => call('/api/v1/mailbox', { method: 'DELETE' }));
poll();
`;
