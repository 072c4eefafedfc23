import * as util from 'node:util';
import { isDeepStrictEqual } from 'node:util';
import { filesOf, type TemplateSource } from './template-files.js';

/** Lines around a change. */
const CONTEXT = 3;

export interface Difference {
  name: string;
  change: 'created' | 'changed';
  /** Like a unified diff, without line numbers. */
  diff: string;
}

/** The change that replaces `before` with `after`; null if they are equal. */
export function differenceOf(
  name: string,
  before: TemplateSource | undefined,
  after: TemplateSource,
): Difference | null {
  if (before !== undefined && isDeepStrictEqual(before, after)) return null;
  const [old, now] = [before === undefined ? new Map<string, string>() : filesOf(before), filesOf(after)];
  const files = [...new Set([...old.keys(), ...now.keys()])].filter((file) => old.get(file) !== now.get(file));
  const diff = files.map((file) => fileDiff(`${name}/${file}`, old.get(file), now.get(file))).join('\n');
  return { name, change: before === undefined ? 'created' : 'changed', diff };
}

function fileDiff(file: string, before: string | undefined, after: string | undefined): string {
  const lines = util.diff(linesOf(before), linesOf(after)).map(([kind, line]) => ({ kind, line }));
  const shown = lines.flatMap(({ kind, line }, index) => {
    const isNear = lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some((one) => one.kind !== 0);
    if (!isNear) return [];
    // `diff` counts from the first argument: 1 is only there, -1 only in the second.
    return [`${kind === 0 ? ' ' : kind > 0 ? '-' : '+'}${line}`];
  });
  return [
    `--- ${before === undefined ? '(none)' : file}`,
    `+++ ${after === undefined ? '(none)' : file}`,
    ...shown,
  ].join('\n');
}

function linesOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.replace(/\n$/, '').split('\n');
}
