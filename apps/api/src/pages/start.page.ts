import type { DemoTenant } from './demo-tenant.js';
import { layout, scriptValue } from './layout.js';
import { START_SCRIPT } from './start-script.js';
import { TIMELINE_SCRIPT } from './start-timeline.js';

/** The first minute: each step makes a real call, which is shown as a curl command beside it. */
export function startPage(demo: DemoTenant): string {
  const name = demo.recipientName;
  const script = `const demo = ${scriptValue(demo)};\n${TIMELINE_SCRIPT}${START_SCRIPT}`;
  return layout('Your first minute with Carillon', `${INTRODUCTION}<ol id="steps">${stepsFor(name)}</ol>`, script, {
    style: STYLE,
  });
}

const INTRODUCTION = `<p>Five steps, each with a real call to this installation. The sandbox captures what a provider
would send, so nothing leaves this machine. Prefer the terminal? Copy the commands.</p>`;

function stepsFor(name: string): string {
  return [
    step(
      'send',
      'Send a notification',
      `<p>The recipient is ${name}, the template is <code>welcome</code>. Choose the channel:</p>
${choices('channel', { email: 'E-mail', in_app: 'In-app', sms: 'SMS' })}
<button type="button" id="send">Send it</button>`,
    ),
    step(
      'watch',
      'Watch it go through',
      `<p>A 202 means that the notification is stored. A worker takes the delivery from there, and its timeline
keeps every step.</p>
<ol class="timeline" id="watched" aria-label="Steps of the delivery"></ol>
<h3 id="message-title" hidden>The message</h3><div id="message"></div>`,
    ),
    step(
      'inbox',
      `See ${name}'s inbox`,
      `<p>This is the web component that you put into your own app. Send an item and see it arrive, live.</p>
<button type="button" id="send-item">Send to the inbox</button>
<carillon-inbox id="inbox" mode="inline" style="--carillon-height: 16rem"></carillon-inbox>`,
    ),
    step(
      'trouble',
      'See what goes wrong, and why',
      `<p>Some addresses at <code>simulator.test</code> fail on purpose.</p>
${choices('trouble', {
  bounce: 'The mail bounces',
  throttled: 'The provider asks to wait',
  rejected: 'The provider refuses it',
})}
<button type="button" id="fail">Send it</button>
<ol class="timeline" id="failed" aria-label="Steps of the delivery that goes wrong"></ol>
<p class="why" id="why" hidden></p>`,
    ),
    step(
      'explain',
      'Ask before you send',
      `<p>Explain runs the same decisions and renders the message, but sends and stores nothing.</p>
<button type="button" id="ask">Explain a send to ${name}</button><div id="answer"></div>`,
    ),
    NEXT,
  ].join('\n');
}

/** A step with the place of its call and of what goes wrong with it. */
function step(id: string, title: string, content: string): string {
  return `<li class="card step" id="step-${id}"><div><h2>${title} <span class="done" hidden>Done</span></h2>
${content}<p role="status" class="soft" id="${id}-status"></p></div>
<figure id="${id}-call" class="call"><figcaption><span>The same with curl</span>
<button type="button" class="plain copy" aria-label="Copy the command: ${title}">Copy</button></figcaption>
<pre tabindex="0" role="region" aria-label="Command: ${title}"></pre></figure></li>`;
}

function choices(name: string, labels: Record<string, string>): string {
  const inputs = Object.entries(labels).map(
    ([value, label], index) =>
      `<label><input type="radio" name="${name}" value="${value}"${index === 0 ? ' checked' : ''}> ${label}</label>`,
  );
  const legend = name === 'channel' ? 'Channel' : 'What goes wrong';
  return `<fieldset class="choices"><legend class="unseen">${legend}</legend>${inputs.join('')}</fieldset>`;
}

const NEXT = `<li class="card"><h2>Go on</h2>
<p>Everything that you have done is in the console, with the reasons in words.</p>
<div class="row"><button type="button" id="console">Open the console</button></div>
<p role="status" class="soft" id="console-status"></p>
<ul class="next">
<li><a href="/docs">The API</a>: all routes with their fields. The document is at
<a href="/openapi.json">/openapi.json</a></li>
<li><a href="/mailbox">The mailbox</a>: all messages captured by the sandbox</li>
<li><a href="/demo">The inbox</a> as a bell with unread items and preferences</li>
<li>Real messages: add your provider under “Provider accounts” in the console</li>
</ul></li>
<script type="module" src="/demo/inbox.js"></script>`;

const STYLE = `
header, main { max-width: 68rem; }
#steps { list-style: none; padding: 0; margin: 1rem 0 0; counter-reset: step; }
.step { display: grid; gap: 1rem; }
.step > * { min-width: 0; }
.step h2::before { counter-increment: step; content: counter(step) ". "; }
.step p { margin: 0 0 .75rem; }
.done { font-size: .8rem; font-weight: 600; color: light-dark(#19692c, #7fd694); }
.done::before { content: "✓ "; }
.choices { border: 0; margin: 0 0 .75rem; padding: 0; display: flex; gap: .5rem 1.25rem; flex-wrap: wrap; }
.choices label { min-height: 1.75rem; display: inline-flex; gap: .4rem; align-items: center; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.call { margin: 0; }
.call figcaption { display: flex; justify-content: space-between; align-items: center; color: var(--soft); }
.call pre {
  font: .8125rem/1.45 ui-monospace, monospace; background: var(--tint); border-radius: .4rem; padding: .75rem;
  overflow-wrap: anywhere; max-height: 15rem; overflow: auto;
}
button.copy { min-height: 2rem; padding: .1rem .6rem; font-size: .875rem; }
.timeline { list-style: none; padding: 0; margin: .75rem 0 0; }
.timeline li { display: grid; grid-template-columns: 5.5rem 1fr; padding: .3rem 0; border-top: 1px solid var(--line); }
.timeline time { color: var(--soft); font-variant-numeric: tabular-nums; font-size: .875rem; }
.bad strong { color: light-dark(#b3261e, #ffa69e); }
.why { border-left: 4px solid var(--accent); padding-left: .75rem; margin-top: .75rem; }
h3 { font-size: 1rem; margin: .75rem 0 .25rem; }
.next { list-style: disc; padding-left: 1.25rem; }
carillon-inbox { display: block; margin-top: .75rem; }
[hidden] { display: none; }
@media (min-width: 60rem) { .step { grid-template-columns: 1fr 1fr; } }
`;
