import { shortDuration } from '../words/amounts';

/** One line of a chart. Null where nothing is known. */
export interface Series {
  label: string;
  values: readonly (number | null)[];
}

export type Unit = 'count' | 'ms';

/** Lines differ in colour and in dashes. Each colour has a contrast of at least 3 on white and on dark grey. */
export const COLOURS: readonly { line: string; dash: readonly number[] }[] = [
  { line: '#3b7ddd', dash: [] },
  { line: '#0f9b75', dash: [8, 3] },
  { line: '#d9480f', dash: [3, 3] },
  { line: '#ae3ec9', dash: [10, 3, 2, 3] },
  { line: '#8a7400', dash: [2, 2] },
  { line: '#c2255c', dash: [6, 6] },
];

export function inUnit(value: number, unit: Unit): string {
  return unit === 'count' ? Math.round(value).toLocaleString() : shortDuration(value);
}

const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' });

export function shortTime(at: string): string {
  return time.format(new Date(at));
}

/** The highest value of each line and when it was, in one sentence each. */
export function summaryOf(times: readonly string[], series: readonly Series[], unit: Unit): string {
  const sentences = series.flatMap(({ label, values }) => {
    const highest = Math.max(...values.map((value) => value ?? 0));
    if (highest <= 0) return [];
    return [`${label}: at most ${inUnit(highest, unit)}, at ${shortTime(times[values.indexOf(highest)]!)}.`];
  });
  return sentences.length > 0 ? sentences.join(' ') : 'Nothing in this time.';
}
