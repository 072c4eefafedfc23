import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { channels } from '#domain';
import { TemplateFault, TemplateRenderer } from './index.js';

const renderer = new TemplateRenderer();
afterAll(() => renderer.close());
const render = async (source: string, payload: object = {}, field = 'text') =>
  (await renderer.render(channels.email, { subject: 's', [field]: source }, [payload], 'tenant'))[field];
const fault = async (source: string, field = 'html'): Promise<string | undefined> =>
  (await renderer.check(channels.email, { [field]: source }, 'tenant')).faults[0]?.message;

describe('what a template can do', () => {
  it.each([
    ['Hi {{name}}', { name: 'Ann' }, 'Hi Ann'],
    ['{{#if vip}}VIP{{else if plus}}plus{{else}}no{{/if}}', { vip: false, plus: 1 }, 'plus'],
    ['{{#unless a}}none{{/unless}}', {}, 'none'],
    [
      '{{#each items}}{{@index}}{{#if @first}}!{{/if}}{{this.n}} {{else}}empty{{/each}}',
      { items: [{ n: 1 }, { n: 2 }] },
      '0!1 12 ',
    ],
    ['{{#each items}}{{@key}}={{this}} {{/each}}', { items: { a: 1, b: 2 } }, 'a=1 b=2 '],
    ['{{#each items}}x{{else}}empty{{/each}}', { items: [] }, 'empty'],
    ['{{#with a}}{{b}}{{../c}}{{/with}}', { a: { b: 1 }, c: 2 }, '12'],
    ['{{upper (default a "none")}}', {}, 'NONE'],
    ['{{#if (eq a 1)}}one{{/if}}', { a: 1 }, 'one'],
    ['{{number n digits=2 locale="de"}}', { n: 1234.5 }, '1.234,50'],
    ['{{date d locale="en-GB" timezone="Europe/Paris"}}', { d: '2026-11-21T23:30:00Z' }, '22 Nov 2026'],
    ['{{a}}{{b}}{{#if a}}{{a}}{{b}}{{/if}}', { a: 1, b: 2 }, '1212'],
    ['{{a}} & <b>', { a: '<i>' }, '<i> & <b>'],
    ['no tags {x}', {}, 'no tags {x}'],
  ])('%s', async (source, payload, wanted) => {
    expect(await render(source, payload)).toBe(wanted);
  });

  it('escapes by field: html, lines, links, control characters', async () => {
    expect(await render('<p>{{a}}{{{b}}}</p>', { a: '<i>', b: '<b>' }, 'html')).toBe('<p>&lt;i&gt;<b></p>');
    await expect(render('{{a}}', { a: 'x\r\nBcc: y' }, 'subject')).rejects.toThrow('/subject: a line break');
    expect(await render('{{a}}', { a: 'a\u0007b\nc' })).toBe('ab\nc');
    const inApp = async (url: string) =>
      (await renderer.render(channels.in_app, { title: 't', body: 'b', action_url: '{{u}}' }, [{ u: url }], 'tenant'))[
        'action_url'
      ];
    expect(await inApp('https://example.com/a')).toBe('https://example.com/a');
    for (const bad of ['javascript:alert(1)', 'http://x', 'data:text/html,x'])
      await expect(inApp(bad)).rejects.toThrow('links must begin with https:');
  });

  it('names the missing variable and its position', async () => {
    await expect(render('Hello\n {{user.name}}', { user: {} })).rejects.toThrow(
      '/text: line 2, column 4: the variable "name" is missing from the payload',
    );
    await expect(render('{{a}}')).rejects.toThrow(TemplateFault);
  });
});

describe('what a template cannot do', () => {
  it.each([
    ['{{> other name="x"}}', 'takes no values'],
    ['{{> (upper "x")}}', 'by its key'],
    ['{{> ../other}}', 'by its key'],
    ['{{#> other}}x{{/other}}', 'partial blocks'],
    ['{{#*inline "x"}}y{{/inline}}', 'inline partials'],
    ['{{* foo}}', 'decorators'],
    ['{{lookup a "b"}}', 'unknown helper "lookup"'],
    ['{{log "x"}}', 'unknown helper "log"'],
    ['{{#foo}}x{{/foo}}', 'unknown block {{#foo}}'],
    ['{{{{raw}}}}x{{{{/raw}}}}', 'unknown block'],
    ['{{constructor}}', '"constructor" may not be used'],
    ['{{a.__proto__.b}}', '"__proto__" may not be used'],
    ['{{a.[constructor]}}', '"constructor" may not be used'],
    ['{{"constructor"}}', 'needs the name of a variable'],
    ['{{@blah}}', 'unknown variable @blah'],
    ['{{helperMissing}}', 'may not be used'],
    ['{{#if a}}x', 'line 1, column 11: the template ends inside a tag or an open block'],
    ['ok\n{{a', 'line 2'],
    ['{{#if a}}{{/each}}', "doesn't match"],
    ['{{#if a}}'.repeat(20_000), 'deeper than 20'],
    ['{{a}}'.repeat(16_000), 'more than 2000 tags'],
    [`{{default ${'a '.repeat(20_000)}}}`, 'longer than 2000 characters'],
    [`{{#if a}}${'{{else if a}}'.repeat(1_900)}{{/if}}`, 'more than 200 {{else}} tags'],
    ['x'.repeat(300_000), 'at most 262144 are allowed'],
  ])('%.40s', async (source, message) => {
    expect(await fault(source)).toContain(message);
  });

  it('reach a prototype through the payload', async () => {
    await expect(render('{{a.toString}}', { a: {} })).rejects.toThrow('missing');
    expect(await render('{{#each a}}{{@key}}{{/each}}', { a: JSON.parse('{"__proto__":1,"b":2}') as object })).toBe(
      'b',
    );
  });

  it('use raw output outside html', async () => {
    expect(await fault('{{{a}}}', 'text')).toContain('only in html');
    expect(await fault('{{&a}}', 'subject')).toContain('only in html');
    expect(await fault('{{{a}}}', 'html')).toBeUndefined();
  });

  it('be passed as a tree instead of text (CVE-2026-33937)', async () => {
    const content = { subject: { type: 'Program', body: [] } };
    expect(await renderer.render(channels.email, content, [{}], 'tenant')).toEqual(content);
  });

  it('loop or write without end', async () => {
    const list = () => Array.from({ length: 60 }, (_, index) => ({ index }));
    const items = list();
    await expect(
      render('{{#each a}}{{#each ../b}}{{#each ../../c}}x{{/each}}{{/each}}{{/each}}', {
        a: list(),
        b: list(),
        c: list(),
      }),
    ).rejects.toThrow('more than 10000 turns');
    await expect(render('{{#each items}}{{../big}}{{/each}}', { items, big: 'x'.repeat(20_000) })).rejects.toThrow(
      'more than 1000000 characters',
    );
    let deep: object = {};
    for (let depth = 0; depth < 30; depth += 1) deep = { deep };
    await expect(render('{{#if deep}}x{{/if}}', deep)).rejects.toThrow('nested deeper than 20');
  });

  it('keep the parser busy or crash it, in any generated form', async () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '{{{',
      '}}}',
      '{{#',
      '{{/',
      '{{else',
      'if',
      'each',
      'with',
      ' ',
      'a',
      '.',
      '..',
      '/',
      '(',
      ')',
      '"',
      "'",
      '@',
      '=',
      '|',
      'as',
      '{{!--',
      '--}}',
      '\\',
      '~',
      '^',
      '&',
      '>',
      '*',
      '[',
      ']',
      '\n',
      '{{#if a}}',
      '{{/if}}',
      '{{a}}',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 400 }), async (pieces) => {
        const startedAt = performance.now();
        await renderer.check(channels.email, { html: pieces.join('') }, 'tenant');
        return performance.now() - startedAt < 500;
      }),
      { numRuns: 400 },
    );
  });
});
