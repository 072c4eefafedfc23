/** The script of the start page. Uses the constant `demo` and the functions of `TIMELINE_SCRIPT`. */
export const START_SCRIPT = `
const byId = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector('input[name=' + name + ']:checked').value;
const SEND = '/api/v1/notifications', POLL_MS = 250, WATCH_MS = 60000, RECEIPT_MS = 2500;
function commandOf(method, path, body) {
  const quoted = (text) => "'" + text.replaceAll("'", "'\\\\''") + "'";
  const lines = ['curl ' + location.origin + path, '-H ' + quoted('X-API-Key: ' + demo.apiKey)];
  if (body) lines.push("-H 'Content-Type: application/json'", '-d ' + quoted(JSON.stringify(body, null, 1)));
  return lines.join(' \\\\\\n  ');
}
function showCall(step, method, path, body) {
  document.querySelector('#' + step + '-call pre').textContent = commandOf(method, path, body);
}
/** Makes the call and shows it beside its step. An error is an answer for people. */
async function call(step, method, path, body) {
  showCall(step, method, path, body);
  return await request(method, path, body);
}
async function request(method, path, body) {
  const headers = { 'X-API-Key': demo.apiKey, ...(body && { 'Content-Type': 'application/json' }) };
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error('Carillon cannot be reached. Check that npm start is still running, then try again.');
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(response.status + ': ' + (answer.detail || answer.title));
  return answer;
}
function toAlice(channel) {
  const payload = { name: demo.recipientName };
  return { recipient_id: demo.recipientId, channel, template_id: 'welcome', payload };
}
const toTrouble = (word) => ({ ...toAlice('email'), recipient_id: 'user-' + word,
  recipient_address: word + '@simulator.test' });
function done(step) {
  document.querySelector('#step-' + step + ' .done').hidden = false;
}
/** Runs a step for a button, which is disabled meanwhile. */
function onClick(button, step, run) {
  byId(button).addEventListener('click', async () => {
    const status = byId(step + '-status');
    byId(button).disabled = true;
    status.textContent = '';
    try {
      await run(status);
    } catch (error) {
      status.textContent = error.message;
    }
    byId(button).disabled = false;
  });
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Reads the delivery until it has ended and a receipt had time to arrive. Stops when the list is used again. */
async function watch(step, id, list, seen = () => {}) {
  list.replaceChildren();
  list.dataset.delivery = id;
  showCall(step, 'GET', '/api/v1/deliveries/' + id);
  let endedAt = 0;
  for (const from = Date.now(); Date.now() - from < WATCH_MS && list.dataset.delivery === id; await pause(POLL_MS)) {
    const delivery = await request('GET', '/api/v1/deliveries/' + id);
    if (list.dataset.delivery !== id) return;
    drawTimeline(list, delivery);
    seen(delivery);
    const isOpen = delivery.state === 'waiting' || delivery.state === 'sending';
    if (!isOpen && !endedAt) endedAt = Date.now();
    if (endedAt && (delivery.state !== 'sent' || Date.now() - endedAt > RECEIPT_MS)) return;
  }
}
/** The message of a delivery in the mailbox, or where else to find it. */
async function showMessage({ id, channel }) {
  const box = byId('message');
  byId('message-title').hidden = false;
  if (channel === 'in_app') {
    box.replaceChildren(element('p', "It is in the inbox of the next step."));
    return;
  }
  const { data } = await request('GET', '/api/v1/mailbox?limit=20');
  const found = data.find((mail) => mail.delivery_id === id);
  if (!found) return;
  const { to, message } = found;
  box.replaceChildren(element('p', 'To ' + to + (message.subject ? ': ' + message.subject : ''), 'soft'));
  if (message.html) {
    const frame = element('iframe');
    frame.setAttribute('sandbox', '');
    frame.title = 'The e-mail';
    frame.srcdoc = message.html;
    box.append(frame);
  } else box.append(element('p', message.text));
}
onClick('send', 'send', async (status) => {
  const sent = await call('send', 'POST', SEND, toAlice(chosen('channel')));
  status.textContent = '202 Accepted: the notification ' + sent.id + ' is stored.';
  done('send');
  byId('message').replaceChildren();
  byId('message-title').hidden = true;
  let isShown = false;
  void watch('watch', sent.deliveries[0].id, byId('watched'), (delivery) => {
    // Not the state: a receipt may have changed it before the first look.
    if (isShown || !delivery.sent_at) return;
    isShown = true;
    done('watch');
    showMessage(delivery).catch((error) => { byId('watch-status').textContent = error.message; });
  }).catch((error) => { byId('watch-status').textContent = error.message; });
});
onClick('send-item', 'inbox', async () => {
  await call('inbox', 'POST', SEND, toAlice('in_app'));
  done('inbox');
});
onClick('fail', 'trouble', async (status) => {
  const why = byId('why');
  why.hidden = true;
  const body = toTrouble(chosen('trouble'));
  const sent = await call('trouble', 'POST', SEND, body);
  const show = (delivery) => {
    why.textContent = whyOf(delivery);
    why.hidden = why.textContent === '';
  };
  watch('trouble', sent.deliveries[0].id, byId('failed'), show)
    .then(() => done('trouble'))
    .catch((error) => { status.textContent = error.message; });
});
onClick('ask', 'explain', async () => {
  const body = { ...toAlice(), channels: ['email', 'sms', 'in_app'] };
  const { deliveries } = await call('explain', 'POST', SEND + '/explain', body);
  const list = element('ul', '', 'next');
  for (const { channel, state, reason, message } of deliveries) {
    const line = element('li');
    const text = message && (message.subject || message.title || message.text);
    line.append(element('strong', words(channel)), ': would be ' + state + (reason ? ' (' + words(reason) + ')' : '')
      + (text ? ', as “' + text + '”' : ''));
    list.append(line);
  }
  byId('answer').replaceChildren(list);
  done('explain');
});
onClick('console', 'console', async () => {
  const headers = { 'Content-Type': 'application/json', 'X-Carillon-Console': '1' };
  const body = JSON.stringify({ api_key: demo.apiKey });
  const response = await fetch('/console/session', { method: 'POST', headers, body });
  if (!response.ok) throw new Error((await response.json()).detail);
  location.assign('/console');
});
for (const button of document.querySelectorAll('.copy'))
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.closest('figure').querySelector('pre').textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
const showSend = () => showCall('send', 'POST', SEND, toAlice(chosen('channel')));
const showTrouble = () => showCall('trouble', 'POST', SEND, toTrouble(chosen('trouble')));
for (const input of document.querySelectorAll('input')) input.addEventListener('change', () => {
  showSend();
  if (input.name === 'trouble') showTrouble();
});
showSend();
showTrouble();
showCall('watch', 'GET', '/api/v1/deliveries/<id>');
showCall('inbox', 'POST', SEND, toAlice('in_app'));
showCall('explain', 'POST', SEND + '/explain', { ...toAlice(), channels: ['email', 'sms', 'in_app'] });
byId('inbox').tokenProvider = async () => {
  const path = '/api/v1/recipients/' + encodeURIComponent(demo.recipientId) + '/inbox-token';
  return (await request('POST', path, { scopes: ['inbox:read', 'inbox:write'] })).token;
};
`;
