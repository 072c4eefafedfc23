import type { Budget } from './budget.ts';
import { dateFormat, numberFormat } from './formats.ts';
import { TemplateFault } from './template-fault.ts';
import { scalar, textOf } from './text.ts';

type Hash = Readonly<Record<string, unknown>>;
/** Returns the value of `{{name arguments}}`, and charges its work to the budget. */
type TemplateFunction = (args: readonly unknown[], hash: Hash, budget: Budget) => unknown;

/** Longer than any date. Date parsers take long for very long texts. */
const MAX_DATE_LENGTH = 100;

function changed(value: unknown, budget: Budget, change: (text: string) => string): string {
  const text = scalar(value);
  budget.write(text.length);
  return change(text);
}

const functions: Readonly<Record<string, TemplateFunction>> = {
  upper: ([value], _hash, budget) => changed(value, budget, (text) => text.toUpperCase()),
  lower: ([value], _hash, budget) => changed(value, budget, (text) => text.toLowerCase()),
  default: ([value, fallback]) => (value === undefined || value === null || value === '' ? fallback : value),
  eq: (args, _hash, budget) => {
    const [left, right] = args;
    if (typeof left === 'string' && typeof right === 'string' && left.length === right.length) budget.read(left.length);
    return args.length >= 2 && left === right;
  },
  number: (args, { locale, digits }, budget) => {
    if (args.length === 0) throw new TemplateFault('{{number}} needs a value');
    const [value] = args;
    const text = typeof value === 'object' && value !== null ? textOf(value, budget) : value;
    if (typeof text === 'string') budget.read(text.length);
    return numberFormat(locale, digits, budget).format(Number(text));
  },
  date: (args, { locale, timezone }, budget) => {
    if (args.length === 0) throw new TemplateFault('{{date}} needs a value');
    const text = scalar(args[0]);
    const date = new Date(text.length > MAX_DATE_LENGTH ? Number.NaN : text);
    if (Number.isNaN(date.getTime()))
      throw new TemplateFault(`{{date}} got ${JSON.stringify(text.slice(0, MAX_DATE_LENGTH))}, which is not a date`);
    try {
      return dateFormat(locale, timezone, budget).format(date);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new TemplateFault(`{{date}} does not know the time zone ${JSON.stringify(String(timezone).slice(0, 64))}`);
    }
  },
};

export function callFunction(name: string, args: readonly unknown[], hash: Hash, budget: Budget): unknown {
  const called = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (!called) throw new TemplateFault(`{{${name}}} is a block: {{#${name} …}} … {{/${name}}}`);
  return called(args, hash, budget);
}
