/** A filter of a list. Its value is in the address of the page, so a filtered list can be linked to. */
export type Filter =
  | { name: string; label: string; kind: 'text'; placeholder?: string }
  | { name: string; label: string; kind: 'choice'; choices: readonly Choice[] }
  /** A time of the reader's zone; the API gets RFC 3339. */
  | { name: string; label: string; kind: 'time' };

export interface Choice {
  value: string;
  label: string;
}

export function choicesOf(values: readonly string[]): Choice[] {
  return values.map((value) => ({ value, label: value.replaceAll('_', ' ') }));
}

/** The filters that are set, by the names of the API's query parameters. */
export function filterValues(filters: readonly Filter[], parameters: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    filters.flatMap(({ name }) => {
      const value = parameters.get(name)?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

/** For `datetime-local` fields, which have no zone: the time in the reader's zone, to the second. */
export function localTime(value: string | null): string {
  if (!value || Number.isNaN(Date.parse(value))) return '';
  const at = new Date(value);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** RFC 3339 of what a `datetime-local` field holds; empty for an empty or unfinished one. */
export function instant(local: string): string {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? '' : at.toISOString();
}
