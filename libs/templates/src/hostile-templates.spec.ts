// No template may block the event loop. The tests measure processor time of the main thread, which does not depend on
// the load of the machine.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { channels } from '#domain';
import { longestHold } from '#testing';
import {
  type Content,
  type RenderEvent,
  RendererBusy,
  SharedPayload,
  TemplateFault,
  TemplateRenderer,
} from './index.ts';

/** Limit for blocking the event loop, in milliseconds of processor time. */
const MAX_HELD_MS = 20;

const events: RenderEvent[] = [];
const renderer = new TemplateRenderer({ threads: 2, onRender: (event) => events.push(event) });
afterAll(() => renderer.close());

const email = (field: string, source: string): Content => ({ subject: 's', [field]: source });
const html = (source: string, payload: object, by = renderer) =>
  by.render(channels.email, { ...email('html', source), text: 't' }, [payload], 'tenant');

/** Returns how long `render` blocked the event loop, and its message or template error. */
async function held(render: () => Promise<unknown>): Promise<{ ms: number; result: unknown }> {
  let result: unknown;
  const ms = await longestHold(async () => {
    result = await render().catch((error: unknown) => error);
  });
  if (result instanceof Error && !(result instanceof TemplateFault)) throw result;
  return { ms, result };
}

describe('a hostile template', () => {
  const at = '2026-11-21T23:30:00Z';
  const dates = Array.from({ length: 200 }, () => ({ at }));
  const rows = Array.from({ length: 5_000 }, (_, n) => ({ n, name: `name ${n}` }));
  it.each([
    ['dates in loops', `{{#each dates}}${'{{#if (eq (date at) "x")}}y{{/if}}'.repeat(100)}{{/each}}`, { dates }],
    ['a large text again and again', '{{s}}'.repeat(600), { s: 'x'.repeat(200_000) }],
    ['a large text that grows when escaped', '{{s}}'.repeat(600), { s: '<'.repeat(200_000) }],
    ['a large raw text', '{{{s}}}'.repeat(600), { s: 'x'.repeat(200_000) }],
    [
      'helpers in helpers',
      '{{upper (lower (upper (default none s)))}}'.repeat(400),
      { none: '', s: 'x'.repeat(50_000) },
    ],
    [
      'large texts compared',
      `{{#each rows}}${'{{#if (eq ../s ../t)}}y{{/if}}'.repeat(50)}{{/each}}`,
      { rows, s: 'x'.repeat(100_000), t: 'x'.repeat(100_000) },
    ],
    ['a list as a text', '{{rows}}{{words}}'.repeat(900), { rows, words: Array(20_000).fill('word') }],
    [
      'loops over many keys',
      '{{#each o}}{{#each ../o}}{{/each}}{{/each}}',
      { o: Object.fromEntries(rows.map(({ name }) => [name, 1])) },
    ],
    [
      'loops over the whole payload',
      '{{#each this}}{{#each @root}}{{#each ../../this}}x{{/each}}{{/each}}{{/each}}',
      { rows },
    ],
    ['many tags in a loop', `{{#each rows}}${'{{n}}{{name}}'.repeat(900)}{{/each}}`, { rows }],
    [
      'long paths in a loop',
      `{{#each rows}}${`{{default ${'../rows/'.repeat(1)}${'length.'.repeat(250)}x n}}`.repeat(100)}{{/each}}`,
      { rows },
    ],
    [
      'languages',
      '{{#each l}}{{date "2026-01-01" locale=this}}{{number 1 locale=this}}{{/each}}',
      { l: rows.map(({ n }) => `de-${String.fromCharCode(65 + (n % 26), 65 + (Math.floor(n / 26) % 26))}`) },
    ],
    ['a text of control characters', '{{s}}', { s: 'a\u0001'.repeat(100_000) }],
    ['a payload of many keys', '{{a1}}', Object.fromEntries(rows.map(({ n }) => [`a${n}`, n]))],
  ])('does not block the event loop: %s', async (_, source, payload) => {
    // The render ends, with a message or a TemplateFault.
    for (const field of ['html', 'text']) {
      const content = email(
        field,
        field === 'text' ? source.replaceAll(/\{\{\{|\}\}\}/g, (braces) => braces.slice(1)) : source,
      );
      const { ms } = await held(() => renderer.render(channels.email, content, [payload], 'tenant'));
      expect(ms).toBeLessThan(MAX_HELD_MS);
    }
  });

  it.each([
    ['words', `{{upper ${'a '.repeat(60)}}}`.repeat(150)],
    ['too many words', `{{default ${'a '.repeat(900)}}}`.repeat(130)],
    ['calls in calls', `{{upper ${'(upper '.repeat(15)}a${')'.repeat(15)}}}`.repeat(500)],
    ['long paths', `{{upper ${'a.'.repeat(60)}a}}`.repeat(1_900)],
    ['tags between lines', `{{a}}${'\n'.repeat(120)}`.repeat(2_000)],
    ['lines', `${'\n'.repeat(260_000)}{{a}}`],
    ['a long comment', `{{!-- ${'x\n'.repeat(125_000)} --}}{{a}}`],
    ['braces', '}}'.repeat(130_000)],
  ])('does not block the event loop while it is saved: %s', async (_, source) => {
    const { ms } = await held(() => renderer.check(channels.email, email('html', source), 'tenant'));
    expect(ms).toBeLessThan(MAX_HELD_MS);
  });

  it('does not block the event loop: names from far outside, past hundreds of others', async () => {
    // Names of the same length that differ only at the end are the slowest to compare.
    const names = Array.from({ length: 280 }, (_, n) => `targ${(n + 36).toString(36)}`).join(' ');
    const inner = `{{#with @root.o as |${names}|}}`.repeat(17);
    const source =
      `{{#with @root.o as |target|}}${inner}` +
      `{{#each @root.list}}${'{{#if target}}{{/if}}'.repeat(40)}{{/each}}${'{{/with}}'.repeat(18)}`;
    const where: RenderEvent[] = [];
    const watched = new TemplateRenderer({ threads: 1, onRender: (event) => where.push(event) });
    const render = (turns: number) => html(source, { o: { x: 1 }, list: Array(turns).fill(1) }, watched);
    // A thread parses it first. Later renders may be inline.
    await render(1);
    const { ms } = await held(() => render(38));
    expect(where).toEqual(['thread', 'inline']);
    expect(ms).toBeLessThan(MAX_HELD_MS);
    await watched.close();
  });

  it('takes no more memory than its output may have', async () => {
    // Peak memory of the process. 600 copies of 200,000 characters took 1.2 GB.
    await html('{{#each a}}x{{/each}}', { a: Array(9_000).fill(1) });
    const before = process.resourceUsage().maxRSS;
    for (const field of ['html', 'text'])
      await expect(
        renderer.render(channels.email, email(field, '{{s}}'.repeat(600)), [{ s: '<'.repeat(200_000) }], 'tenant'),
      ).rejects.toThrow('more than 1000000 characters');
    expect((process.resourceUsage().maxRSS - before) / 1_024).toBeLessThan(150);
  });

  it('spends one budget in all fields together', async () => {
    const part = '{{s}}'.repeat(6);
    const content = { subject: 's', html: part, text: part };
    await expect(renderer.render(channels.email, content, [{ s: 'x'.repeat(100_000) }], 'tenant')).rejects.toThrow(
      '/text: more than 1000000 characters',
    );
  });

  it('of any form ends in time, and blocks the event loop for less than an inline render may take', async () => {
    const name = fc.constantFrom(
      's',
      'list',
      'map',
      'deep',
      'n',
      'this',
      '../list',
      '../map',
      '@root',
      '@root.list',
      '@key',
      'no',
    );
    const call = fc.tuple(
      fc.constantFrom('upper', 'lower', 'date', 'number', 'default', 'eq'),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('', ' digits=20', ' locale=s', ' timezone=s'),
    );
    const written = fc.oneof(
      name.map((value) => `{{${value}}}`),
      call.map(([helper, args, hash]) => `{{${helper} ${args.join(' ')}${hash}}}`),
      call.map(([helper, args, hash]) => `{{default (${helper} ${args.join(' ')}${hash}) "x"}}`),
      fc.constant('text'),
    );
    const { body } = fc.letrec((again) => ({
      body: fc
        .tuple(fc.array(fc.oneof({ maxDepth: 6 }, written, again('block')), { maxLength: 6 }), fc.constantFrom(1, 1, 8))
        .map(([parts, times]) => parts.join('').repeat(times)),
      block: fc
        .tuple(fc.constantFrom('each', 'each', 'if', 'unless', 'with'), name, again('body'))
        .map(([block, value, inner]) => `{{#${block} ${value}}}${inner}{{/${block}}}`),
    }));
    const payload = fc.record({
      s: fc.constantFrom('', 'Europe/Paris', '<&>'.repeat(30_000), '2026-11-21', 'de-CH', '\u0000\r\n'.repeat(10_000)),
      n: fc.double(),
      list: fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 200 }),
      map: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 50 }),
      deep: fc.jsonValue({ maxDepth: 10 }),
    });
    await fc.assert(
      fc.asyncProperty(
        (body as fc.Arbitrary<string>).filter((source) => source.length < 300_000),
        payload,
        fc.constantFrom('html', 'text', 'subject'),
        async (source, values, field) => {
          const { ms, result } = await held(() =>
            renderer.render(channels.email, { subject: 's', text: 't', [field]: source }, [values], 'tenant'),
          );
          expect(ms, `a source of ${source.length} characters`).toBeLessThan(MAX_HELD_MS);
          if (!(result instanceof TemplateFault)) expect(typeof (result as Content)[field]).toBe('string');
        },
      ),
      { numRuns: 100, endOnFailure: true, interruptAfterTimeLimit: 15_000 },
    );
    expect(events.filter((event) => event === 'inline').length).toBeGreaterThan(10);
    expect(events.filter((event) => event === 'thread').length).toBeGreaterThan(10);
  });
});

describe('where a template is rendered', () => {
  const items = (count: number) => Array.from({ length: count }, (_, n) => ({ title: `Thing ${n}`, price: n }));
  const order = '<p>{{name}}</p>{{#each items}}<tr><td>{{title}}</td><td>{{number price digits=2}}</td></tr>{{/each}}';

  it('is the event loop for ordinary ones and a thread for large ones, with the same message', async () => {
    const where: RenderEvent[] = [];
    const watched = new TemplateRenderer({ onRender: (event) => where.push(event) });
    await html(order, { name: 'Ann', items: items(20) }, watched);
    expect(where).toEqual(['inline']);
    const large = (await html(order, { name: 'Ann', items: items(2_000) }, watched))['html'] as string;
    expect(where).toEqual(['inline', 'thread']);
    expect(large).toContain('<td>Thing 1999</td><td>1,999.00</td>');
    await watched.close();
  });

  it('is a thread until the program of a longer template is cached, and then the event loop', async () => {
    const where: RenderEvent[] = [];
    const watched = new TemplateRenderer({ onRender: (event) => where.push(event) });
    const long = `${'<p>text</p>\n'.repeat(5_000)}${'{{name}} '.repeat(100)}`;
    for (let turn = 0; turn < 2; turn += 1) await html(long, { name: 'Ann' }, watched);
    expect(where).toEqual(['thread', 'inline']);
    await watched.close();
  });

  it('is a thread for a large shared payload, which is transferred once', async () => {
    const shared = new SharedPayload(JSON.stringify({ name: 'all', from: 'us', rows: items(50_000) }));
    const render = (name: string) =>
      renderer.render(channels.email, email('text', '{{name}} {{from}} {{rows.length}}'), [shared, { name }], 'tenant');
    expect((await render('Ann'))['text']).toBe('Ann us 50000');
    const { ms } = await held(() => Promise.all(Array.from({ length: 50 }, (_, n) => render(`${n}`))));
    expect(ms).toBeLessThan(MAX_HELD_MS);
  });
});

describe('the limits of a thread', () => {
  const rows = Array.from({ length: 9_000 }, (_, n) => n);
  const slow = `{{#each rows}}${'{{#if (eq this 1)}}y{{/if}}'.repeat(20)}{{/each}}`;

  it('end a render that takes too long, and the next one works', async () => {
    const where: RenderEvent[] = [];
    const short = new TemplateRenderer({ threads: 1, timeLimitMs: 5, onRender: (event) => where.push(event) });
    await expect(html(slow, { rows }, short)).rejects.toThrow('the template took longer than 5 ms');
    expect(where).toEqual(['time_out']);
    expect((await html('{{name}}', { name: 'Ann' }, short))['html']).toBe('Ann');
    await short.close();
  });

  it('end a render that needs too much memory', async () => {
    const small = new TemplateRenderer({ threads: 1, memoryMb: 16, timeLimitMs: 10_000 });
    const shared = new SharedPayload(JSON.stringify(Array.from({ length: 400_000 }, (_, n) => [{ n }])));
    const render = small.render(channels.email, email('text', '{{length}}'), [shared], 'tenant');
    await expect(render).rejects.toThrow('the template needs more than 16 MB of memory');
    await small.close();
  });

  it('prevent one tenant from delaying another', async () => {
    const one = new TemplateRenderer({ threads: 1 });
    const bad = Array.from({ length: 30 }, () => one.render(channels.email, email('html', slow), [{ rows }], 'bad'));
    const good = Array.from({ length: 5 }, (_, n) =>
      one.render(
        channels.email,
        email('text', '{{#each rows}}{{this}}{{/each}}'),
        [{ rows: Array(3_000).fill(n) }],
        'good',
      ),
    );
    let badDone = 0;
    for (const render of bad) render.catch(() => (badDone += 1));
    for (const message of await Promise.all(good)) expect(message['text']).toHaveLength(3_000);
    expect(badDone).toBeLessThan(10);
    await one.close();
    await Promise.allSettled(bad);
  });

  it('limit the waiting renders; a rejected one is not an error of the template', async () => {
    const one = new TemplateRenderer({ threads: 1 });
    const many = Array.from({ length: 510 }, () => one.render(channels.email, email('html', slow), [{ rows }], 'bad'));
    const results = Promise.allSettled(many);
    expect(one.waiting).toBe(500);
    await expect(many.at(-1)).rejects.toThrow(RendererBusy);
    await one.close();
    await results;
  });
});
