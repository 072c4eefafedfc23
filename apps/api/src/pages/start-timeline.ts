/** The part of the script of the start page that puts a delivery into words. */
export const TIMELINE_SCRIPT = `
const element = (name, text, className) => {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const words = (code) => code.replaceAll('_', ' ');
/** Why a delivery ended as it did, and what to do. By the state, then by the reason. */
const WHY = {
  bounced: 'The provider accepted the mail and then reported that the mailbox does not exist. The address of a '
    + 'real bounce is put on the suppression list, and no more mail is sent to it.',
  rejected: 'The provider refused the content. Another attempt would be refused as well, so the delivery is in the '
    + 'dead letters: correct the cause, then replay it from there.',
  recipient_limit: 'It waits, because the recipient has had as many messages as the limit allows.',
  retry: 'It waits for the next attempt.',
  provider_limit: 'It waits, because the provider asked for it. It is sent as soon as the time has passed.',
};
function whyOf({ state, reason, attempts, due_at }) {
  if (state === 'sent' && attempts > 1)
    return 'Sent, by attempt ' + attempts + ': the provider had asked to wait, and Carillon tried again by itself.';
  if (state === 'sent' || state === 'delivered') return '';
  const until = due_at && state === 'waiting' ? ' Due at ' + new Date(due_at).toLocaleTimeString() + '.' : '';
  return (WHY[reason] || WHY[state] || words(state) + (reason ? ': ' + words(reason) : '')) + until;
}
/** The lines of the timeline: time, title, text, and whether it is bad news. */
function linesOf({ timeline, channel, template_version }) {
  const lines = [];
  for (const entry of timeline) {
    const { code, at, attempt, outcome, provider, detail, reason, rule, duration_ms } = entry;
    const started = new Date(Date.parse(at) - (duration_ms || 0)).toISOString();
    const isFirst = (code === 'attempt' && attempt === 1) || (code === 'sent' && channel === 'in_app');
    if (isFirst) {
      lines.push([started, 'Decided', 'preferences, suppression list, quiet hours and caps allow it']);
      const version = template_version ? ', version ' + template_version : '';
      lines.push([started, 'Rendered', 'the template welcome' + version]);
    }
    if (code === 'accepted') lines.push([at, 'Accepted', 'stored before the answer 202']);
    else if (code === 'attempt') {
      lines.push([started, 'Attempt ' + attempt, 'through the provider ' + provider]);
      if (outcome !== 'sent') lines.push([at, 'Attempt failed', detail || words(outcome), true]);
    } else if (code === 'sent')
      lines.push([at, 'Sent', channel === 'in_app' ? 'it is in the inbox' : 'the provider has accepted it']);
    else {
      const title = words(code).replace(/^./, (letter) => letter.toUpperCase());
      const text = [reason && words(reason), rule && 'decided by ' + rule, detail].filter(Boolean).join('; ');
      lines.push([at, title, text, code !== 'delivered']);
    }
  }
  return lines;
}
/** Adds the lines that are new, so that a screen reader reads only those. */
function drawTimeline(list, delivery) {
  const first = Date.parse(delivery.timeline[0].at);
  for (const [at, title, text, isBad] of linesOf(delivery).slice(list.children.length)) {
    const time = element('time', list.children.length ? '+' + (Date.parse(at) - first) + ' ms'
      : new Date(at).toLocaleTimeString());
    time.dateTime = at;
    const line = element('li', '', isBad ? 'bad' : ''), said = element('span');
    said.append(element('strong', title), text ? ': ' + text : '');
    line.append(time, said);
    list.append(line);
  }
}
`;
