import { compile } from 'html-to-text';
import type { Budget } from './budget.ts';

/** Only this much of the html is converted. html-to-text takes up to 5 µs per tag and 0.1 µs per character of text. */
const MAX_TAGS = 4_000;
const MAX_HTML = 128 * 1024;
/** Deeper elements are omitted, because the conversion is recursive. */
const MAX_DEPTH = 100;
const STEPS_PER_TAG = 50;

const toText = compile({ wordwrap: 78, limits: { maxDepth: MAX_DEPTH, ellipsis: '...' } });

/** Returns the text alternative of html. Of very large html only the start is converted, with three dots at the end. */
export function plainTextOf(html: string, budget: Budget): string {
  const { end, tags } = endOf(html);
  budget.spend(end + tags * STEPS_PER_TAG);
  return end === html.length ? toText(html) : `${toText(html.slice(0, end))}...`;
}

/** Where html is cut: before a tag or in a text, never within a tag. */
function endOf(html: string): { end: number; tags: number } {
  let end = 0;
  for (let tags = 0; tags < MAX_TAGS; tags += 1) {
    const next = html.indexOf('<', end + 1);
    if (next === -1) return { end: html.length <= MAX_HTML ? html.length : textEnd(html, end), tags };
    if (next > MAX_HTML) return { end: textEnd(html, end), tags };
    end = next;
  }
  return { end, tags: MAX_TAGS };
}

/** Cuts a text at the limit, and before a tag that crosses the limit. */
function textEnd(html: string, tag: number): number {
  const close = html.indexOf('>', tag);
  return close !== -1 && close < MAX_HTML ? MAX_HTML : tag;
}
