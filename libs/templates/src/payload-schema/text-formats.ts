// The values of `format` in a payload schema. Each takes time in proportion to the length of the text.

const DATE = /^\d{4}-\d\d-\d\d$/;
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,189}$/;
const MAX_URI = 2_048;

export const textFormats: Readonly<Record<string, (text: string) => boolean>> = {
  // 2026-02-30 is a valid date for the parser of Node, which makes it 2026-03-02.
  date: (text) => DATE.test(text) && isoDay(text) === text,
  'date-time': (text) => DATE_TIME.test(text) && isoDay(text.slice(0, 10)) === text.slice(0, 10) && isTime(text),
  email: (text) => text.length <= 254 && EMAIL.test(text),
  uri: (text) => text.length <= MAX_URI && /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text),
  uuid: (text) => UUID.test(text),
};

function isoDay(text: string): string | null {
  const date = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 10);
}

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}
