// Partials and layouts.

import fc from 'fast-check';
import Handlebars from 'handlebars';
import { afterAll, describe, expect, it } from 'vitest';
import { channels, type IncludedPart } from '#domain';
import { longestHold } from '#testing';
import { Composed, TemplateFault, TemplateRenderer } from './index.ts';

const renderer = new TemplateRenderer({ threads: 2 });
afterAll(() => renderer.close());

const part = (content: Record<string, string>): IncludedPart => ({ id: 'id', locale: 'en', version: 1, content });

interface Parts {
  partials?: Record<string, string>;
  layout?: string | null;
  field?: string;
}

/** Renders a source whose partials and layout have the same field. */
async function render(
  source: string,
  { partials = {}, layout = null, field = 'html' }: Parts,
  payload: object = {},
): Promise<string> {
  const includes = {
    layout: layout === null ? null : part({ [field]: layout }),
    partials: Object.fromEntries(Object.entries(partials).map(([name, text]) => [name, part({ [field]: text })])),
  };
  const composed = new Composed({ subject: 's', [field]: source }, includes);
  return (await renderer.render(channels.email, composed, [payload], 'tenant'))[field] as string;
}

describe('a partial', () => {
  it('is written with the variables of its place, escaped as the field is', async () => {
    const partials = { name: '<b>{{name}}</b>', row: '{{@index}}:{{name}};' };
    expect(await render('{{> name}}', { partials }, { name: '<i>' })).toBe('<b>&lt;i&gt;</b>');
    expect(await render('{{> name}}', { partials, field: 'text' }, { name: '<i>' })).toBe('<b><i></b>');
    const items = [{ name: 'a' }, { name: 'b' }];
    expect(await render('{{#each items}}{{> row}}{{/each}}', { partials }, { items })).toBe('0:a;1:b;');
  });

  it('cannot break out of a subject, and a link in it is checked', async () => {
    const partials = { p: '{{x}}' };
    await expect(render('{{> p}}', { partials, field: 'subject' }, { x: 'a\r\nBcc: b' })).rejects.toThrow('line break');
    const includes = { layout: null, partials: { p: part({ action_url: 'javascript:alert(1)' }) } };
    const content = new Composed({ title: 't', body: 'b', action_url: '{{> p}}' }, includes);
    await expect(renderer.render(channels.in_app, content, [{}], 'tenant')).rejects.toThrow('links must begin');
  });

  it('names itself, the line and the column in an error, and those of the places that include it', async () => {
    const partials = { outer: 'x\n {{> inner}}', inner: 'Hi\n\n  {{user.name}}' };
    await expect(render('a\n{{> outer}}', { partials }, { user: {} })).rejects.toThrow(
      '/html: line 2, column 1: in the partial "outer", line 2, column 2: in the partial "inner", line 3, column 5: ' +
        'the variable "name" is missing from the payload',
    );
    await expect(render('{{> none}}', { partials })).rejects.toThrow('there is no partial "none"');
    for (const name of ['constructor', 'toString'])
      await expect(render(`{{> ${name}}}`, { partials })).rejects.toThrow(`there is no partial "${name}"`);
  });

  it('sees neither ../ nor names after as, as in Handlebars', async () => {
    await expect(
      render('{{#with a}}{{> p}}{{/with}}', { partials: { p: '{{../b}}' } }, { a: {}, b: 1 }),
    ).rejects.toThrow(TemplateFault);
    const partials = { p: '{{item}}' };
    await expect(render('{{#each a as |item|}}{{> p}}{{/each}}', { partials }, { a: [1] })).rejects.toThrow('"item"');
  });
});

describe('a layout', () => {
  it('surrounds the fields that it has, with partials of its own', async () => {
    const layout = '<main>{{> @content}}</main>{{> foot}}';
    expect(await render('Hi {{name}}', { layout, partials: { foot: '-{{name}}-' } }, { name: 'Ann' })).toBe(
      '<main>Hi Ann</main>-Ann-',
    );
    const includes = { layout: part({ html: '<p>{{> @content}}</p>' }), partials: {} };
    const composed = new Composed({ subject: 's', html: 'h', text: 't' }, includes);
    expect(await renderer.render(channels.email, composed, [{}], 'tenant')).toMatchObject({
      html: '<p>h</p>',
      text: 't',
    });
  });

  it('gives the content the payload, wherever it is', async () => {
    const layout = '{{#each list}}{{> @content}}{{/each}}';
    expect(await render('{{name}}', { layout }, { name: 'Ann', list: [1, 2] })).toBe('AnnAnn');
  });

  it('is named in its own errors, and not in those of the content', async () => {
    const layout = '\n{{title}}{{> @content}}';
    await expect(render('x', { layout })).rejects.toThrow(
      '/html: in the layout, line 2, column 3: the variable "title"',
    );
    await expect(render(' {{name}}', { layout }, { title: 't' })).rejects.toThrow(
      '/html: line 1, column 4: the variable "name" is missing',
    );
  });
});

describe('the budget', () => {
  it.each([
    ['that double each other', (n: number) => `{{> p${n + 1}}}{{> p${n + 1}}}`, 'x', {}],
    ['that repeat each other a hundred times', (n: number) => `{{> p${n + 1}}}`.repeat(100), '', {}],
    ['that grow a text', (n: number) => `{{> p${n + 1}}}`.repeat(30), '{{s}}', { s: '<'.repeat(9_000) }],
    ['in loops', (n: number) => `{{#each @root.list}}{{> p${n + 1}}}{{/each}}`, 'x', { list: Array(50).fill(1) }],
  ])('covers partials %s', async (_, source, last, payload) => {
    const partials = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`p${n}`, n === 9 ? last : source(n)]));
    let error: unknown;
    const ms = await longestHold(async () => {
      // Each doubling has 2^10 ends, which the budget allows; repeated in the template it does not.
      error = await render('{{> p0}}'.repeat(1_500), { partials }, payload).catch((caught: unknown) => caught);
    });
    expect(error).toBeInstanceOf(TemplateFault);
    expect(String(error)).toMatch(/more than \d+ (steps|characters|turns)/);
    expect(ms).toBeLessThan(20);
  });

  it('ends partials that include themselves, which cannot be saved', async () => {
    await expect(render('{{> a}}', { partials: { a: '{{> b}}', b: '{{> a}}' } })).rejects.toThrow(
      'nested deeper than 12',
    );
  });
});

it('writes the same as Handlebars', async () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const piece = fc.oneof(
    fc.constantFrom('x', ' ', '\n', '  \n  ', '{{name}}', '{{this}}', '{{@index}}', '{{#each list}}', '<p>'),
    name.map((key) => `{{> ${key}}}`),
  );
  const body = fc.array(piece, { maxLength: 8 }).map((pieces) => {
    const text = pieces.join('');
    return text + '{{/each}}'.repeat(text.split('{{#each').length - 1);
  });
  const leaf = fc.array(fc.constantFrom('y', '\n', ' ', '{{name}}', '{{@index}}'), { maxLength: 4 });
  const payload = { name: '<Ann>', list: ['p', { name: 'q' }] };
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(body, body, leaf, async (source, middle, end) => {
      // b and c are included by a, and by the source.
      const partials = {
        a: middle.replaceAll('{{> a}}', '{{> c}}').replaceAll('{{> b}}', ''),
        b: end.join(''),
        c: end.join('\n'),
      };
      const environment = Handlebars.create();
      for (const [key, text] of Object.entries(partials)) environment.registerPartial(key, text);
      let wanted: string | null;
      try {
        const options = { strict: true, preventIndent: true, knownHelpers: { each: true }, knownHelpersOnly: true };
        wanted = environment.compile(source, options)(payload).replaceAll('[object Object]', 'the payload');
      } catch {
        wanted = null;
      }
      const got = await render(source, { partials }, payload).catch((error: unknown) => {
        if (!(error instanceof TemplateFault)) throw error;
        return null;
      });
      if (wanted) compared += 1;
      expect(got).toBe(wanted);
    }),
    { numRuns: 300 },
  );
  expect(compared).toBeGreaterThan(80);
});
