import { afterAll, describe, expect, it } from 'vitest';
import { channels } from '#domain';
import { longestHold } from '#testing';
import { TemplateRenderer } from './index.ts';

/** Slightly below the limit, because the html and the subject share the characters of a message. */
const MEGABYTE = 990_000;
const renderer = new TemplateRenderer({ threads: 2 });
afterAll(() => renderer.close());

const textOf = async (body: string): Promise<string> =>
  (await renderer.render(channels.email, { subject: 's', html: '{{{body}}}' }, [{ body }], 'tenant'))['text'] as string;
const nested = (tag: string, size: number): string => `<${tag}>`.repeat(Math.floor(size / (tag.length + 2)));

describe('the generated text of a message', () => {
  it.each([
    ['nested div', nested('div', MEGABYTE)],
    ['nested b', nested('b', MEGABYTE)],
    ['nested tables', nested('table><tr><td', MEGABYTE)],
    ['lists', nested('ul><li', MEGABYTE)],
    ['rules', nested('hr', MEGABYTE)],
    ['paragraphs', nested('p', MEGABYTE)],
    ['rows', `<table>${'<tr><td>a'.repeat(MEGABYTE / 9)}`],
    ['links', '<a href="x">y</a>'.repeat(MEGABYTE / 16)],
    ['an open comment', `<!--${'-'.repeat(MEGABYTE)}`],
    ['angle brackets', '<'.repeat(MEGABYTE)],
    ['ampersands', '&'.repeat(MEGABYTE)],
    ['attributes', `<p ${'a=b '.repeat(MEGABYTE / 4)}>x</p>`],
    ['words', 'ab '.repeat(MEGABYTE / 3)],
    ['one word', 'a'.repeat(MEGABYTE)],
  ])('is made of a megabyte of %s in bounded time', async (_, html) => {
    // Ends within the time limit of a thread, without blocking the event loop.
    expect(await longestHold(() => textOf(html.slice(0, MEGABYTE)))).toBeLessThan(20);
  });

  it('contains the whole html if that has an ordinary size', async () => {
    const rows = Array.from({ length: 500 }, (_, row) => `<tr><td>${row}</td><td>word ${row}</td></tr>`);
    const text = await textOf(`<table>${rows.join('')}</table>`);
    expect(text).toContain('word 499');
  });

  it('ends with three dots if it was cut, and is never cut inside a tag', async () => {
    const text = await textOf('Hello <b>you</b> '.repeat(10_000));
    expect(text).toMatch(/Hello[^<>]*\.\.\.$/);
    expect(text.length).toBeLessThan(100_000);
  });
});
