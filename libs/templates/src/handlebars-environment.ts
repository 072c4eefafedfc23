import Handlebars from 'handlebars';
import { TemplateFault } from './check-source.js';

/** Turns of `each` in one render, all loops together. */
export const MAX_ITERATIONS = 10_000;
/** Characters of one rendered field. */
export const MAX_OUTPUT = 1_000_000;

/** What one render may still spend. */
export interface Budget {
  iterations: number;
  output: number;
}

/**
 * An environment of our own, with exactly the helpers of `check-source.ts`: Handlebars' built-in `lookup`, `log` and the
 * missing-helper hooks are gone, and `each` is bounded.
 */
export function createEnvironment(): typeof Handlebars {
  const environment = Handlebars.create();
  for (const name of ['lookup', 'log', 'each']) environment.unregisterHelper(name);

  environment.registerHelper('each', function each(this: unknown, ...args: unknown[]) {
    const options = args.pop() as Handlebars.HelperOptions;
    const over = args[0];
    const data = Handlebars.createFrame(options.data ?? {});
    const budget = (options.data as { budget: Budget }).budget;
    const entries = Array.isArray(over)
      ? [...over.entries()]
      : over !== null && typeof over === 'object'
        ? Object.entries(over)
        : [];
    let out = '';
    entries.forEach(([key, value], index) => {
      budget.iterations -= 1;
      if (budget.iterations < 0) throw new TemplateFault(`more than ${MAX_ITERATIONS} turns of {{#each}}`);
      Object.assign(data, { key, index, first: index === 0, last: index === entries.length - 1 });
      const turn = options.fn(value, { data, blockParams: [value, key] });
      budget.output -= turn.length;
      if (budget.output < 0) throw new TemplateFault(`more than ${MAX_OUTPUT} characters`);
      out += turn;
    });
    return entries.length > 0 ? out : options.inverse(this);
  });

  environment.registerHelper('upper', (value: unknown) => scalar(value).toUpperCase());
  environment.registerHelper('lower', (value: unknown) => scalar(value).toLowerCase());
  environment.registerHelper('default', (value: unknown, fallback: unknown) =>
    value === undefined || value === null || value === '' ? fallback : value,
  );
  environment.registerHelper('eq', (left: unknown, right: unknown) => left === right);
  environment.registerHelper('number', (value: unknown, options: Handlebars.HelperOptions) => {
    const { locale, digits } = options.hash as { locale?: unknown; digits?: unknown };
    const places =
      typeof digits === 'number' && digits >= 0 && digits <= 20
        ? { minimumFractionDigits: digits, maximumFractionDigits: digits }
        : {};
    return new Intl.NumberFormat(languageOf(locale), places).format(Number(value));
  });
  environment.registerHelper('date', (value: unknown, options: Handlebars.HelperOptions) => {
    const date = new Date(scalar(value));
    if (Number.isNaN(date.getTime()))
      throw new TemplateFault(`{{date}} got ${JSON.stringify(scalar(value))}, which is not a date`);
    const { locale, timezone } = options.hash as { locale?: unknown; timezone?: unknown };
    try {
      return new Intl.DateTimeFormat(languageOf(locale), {
        dateStyle: 'medium',
        timeZone: typeof timezone === 'string' ? timezone : 'UTC',
      }).format(date);
    } catch {
      throw new TemplateFault(`{{date}} does not know the time zone ${JSON.stringify(timezone)}`);
    }
  });
  return environment;
}

function languageOf(locale: unknown): string {
  return typeof locale === 'string' && /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(locale) ? locale : 'en';
}

function scalar(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value === undefined || value === null || typeof value === 'object'
      ? ''
      : String(value);
}
