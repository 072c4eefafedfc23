import Handlebars from 'handlebars';
import type { Budget } from './budget.ts';
import { TemplateFault } from './template-fault.ts';

const MAX_NESTED_LISTS = 20;
/** Escaping is charged part by part, because a text full of `<` takes much longer than its length suggests. */
const ESCAPE_AT_ONCE = 4_096;

/** Converts a value to text. Charges new text (of lists), not existing text. */
export function textOf(value: unknown, budget: Budget, depth = 0): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (!Array.isArray(value)) return 'the payload';
  if (depth > MAX_NESTED_LISTS) throw new TemplateFault(`a list nested deeper than ${MAX_NESTED_LISTS}`);
  const parts: string[] = [];
  for (const item of value) {
    const part = textOf(item, budget, depth + 1);
    budget.write(part.length + 1);
    parts.push(part);
  }
  return parts.join(',');
}

/** Replaces `& < > " ' = \`` by entities. Charges the time and the added characters; the caller charges the others. */
export function escapeHtml(text: string, budget: Budget): string {
  if (text.length <= ESCAPE_AT_ONCE) return escapePart(text, budget);
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += ESCAPE_AT_ONCE)
    parts.push(escapePart(text.slice(at, at + ESCAPE_AT_ONCE), budget));
  return parts.join('');
}

function escapePart(text: string, budget: Budget): string {
  budget.read(text.length);
  const escaped = Handlebars.escapeExpression(text);
  // An entity adds three to five characters and takes about as long as a step.
  budget.keep(escaped.length - text.length);
  budget.spend((escaped.length - text.length) >> 2);
  return escaped;
}

/** Converts a scalar to text. Lists and objects become empty. */
export function scalar(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}
