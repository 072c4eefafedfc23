// Reads and checks a recurrence rule (RFC 5545, section 3.3.10) before the library that evaluates it sees it: rules
// come from callers, and some cost seconds or never end.

/** The pattern of a rule, and where it ends. */
export interface RecurrenceRule {
  /** The rule without COUNT and UNTIL. */
  pattern: string;
  count: number | null;
  /** A time on the clock of the zone, or an instant (UNTIL with a Z). */
  until: { local: string } | { instant: Date } | null;
}

const MAX_RULE_LENGTH = 500;
/** Its last occurrence is computed when the schedule is created. UNTIL has no such limit. */
const MAX_COUNT = 365;
const MAX_INTERVAL = 1_000;
/**
 * Times in one period from which BYSETPOS chooses: the library evaluates all of them for each occurrence, some
 * microseconds each.
 */
const MAX_CHOICES = 1_000;
const FREQUENCIES = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY'];
const WEEKDAY = '(MO|TU|WE|TH|FR|SA|SU)';
const UNTIL = /^(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})([0-5]\d)(Z?))?$/;

interface Part {
  isValid: (value: string) => boolean;
  expected: string;
  /** The frequencies with which RFC 5545 does not allow this part, or we do not. */
  notWith?: string[];
}

const number = (from: number, to: number): Part => ({
  isValid: (value) => /^\d{1,5}$/.test(value) && Number(value) >= from && Number(value) <= to,
  expected: `a number from ${from} to ${to}`,
});

const list = (from: number, to: number, notWith: string[] = []): Part => ({
  isValid: (value) => value.split(',').every((one) => number(from, to).isValid(one)),
  expected: `a list of numbers from ${from} to ${to}`,
  notWith,
});

/** Counts from the end if negative. */
const signedList = (to: number, notWith: string[] = []): Part => ({
  isValid: (value) => value.split(',').every((one) => number(1, to).isValid(one.replace(/^[+-]/, ''))),
  expected: `a list of numbers from 1 to ${to} or from -${to} to -1`,
  notWith,
});

const PARTS: Record<string, Part> = {
  FREQ: {
    isValid: (value) => FREQUENCIES.includes(value),
    expected: `one of ${FREQUENCIES.join(', ')}; a schedule fires at most once a minute`,
  },
  INTERVAL: number(1, MAX_INTERVAL),
  COUNT: number(1, MAX_COUNT),
  UNTIL: {
    isValid: (value) => untilOf(value) !== null,
    expected: 'a date like 20261231, a local time like 20261231T090000 or a time in UTC like 20261231T080000Z',
  },
  BYSECOND: number(0, 59),
  BYMINUTE: list(0, 59),
  BYHOUR: list(0, 23),
  BYDAY: {
    isValid: (value) => value.split(',').every((one) => new RegExp(`^([+-]?[1-9]\\d?)?${WEEKDAY}$`).test(one)),
    expected: 'a list of days like MO,TU or 1MO,-1FR',
  },
  BYMONTHDAY: signedList(31, ['WEEKLY']),
  BYYEARDAY: signedList(366, ['DAILY', 'WEEKLY', 'MONTHLY']),
  BYWEEKNO: signedList(53, ['MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY']),
  BYMONTH: list(1, 12),
  BYSETPOS: signedList(366, ['WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY']),
  WKST: { isValid: (value) => new RegExp(`^${WEEKDAY}$`).test(value), expected: 'a day like MO' },
};

/** Returns the rule, or all that is wrong with the text. */
export function readRecurrenceRule(text: string): RecurrenceRule | { faults: string[] } {
  if (text.length > MAX_RULE_LENGTH) return { faults: [`has ${text.length} characters, at most ${MAX_RULE_LENGTH}`] };
  const parts = new Map<string, string>();
  const faults: string[] = [];
  for (const part of text.split(';')) {
    const [name = '', value = '', ...rest] = part.split('=');
    const known = PARTS[name];
    if (!known || rest.length > 0) faults.push(`has an unknown part ${JSON.stringify(part)}`);
    else if (parts.has(name)) faults.push(`has ${name} twice`);
    else if (!known.isValid(value)) faults.push(`${name} must be ${known.expected}`);
    else parts.set(name, value);
  }
  faults.push(...(faults.length > 0 ? [] : combinationFaults(parts)));
  return faults.length > 0 ? { faults } : toRule(parts);
}

function combinationFaults(parts: ReadonlyMap<string, string>): string[] {
  const frequency = parts.get('FREQ');
  if (frequency === undefined) return ['FREQ is required'];
  const faults = [...parts.keys()]
    .filter((name) => PARTS[name]!.notWith?.includes(frequency))
    .map((name) => `${name} cannot be used with FREQ=${frequency}`);
  const hasOrdinals = /\d/.test(parts.get('BYDAY') ?? '');
  if (hasOrdinals && !['MONTHLY', 'YEARLY'].includes(frequency))
    faults.push(`BYDAY with numbers cannot be used with FREQ=${frequency}`);
  if (hasOrdinals && parts.has('BYWEEKNO')) faults.push('BYDAY with numbers cannot be used with BYWEEKNO');
  // The library looks for a common day in 400 years.
  if (parts.has('BYYEARDAY') && parts.has('BYWEEKNO')) faults.push('give BYYEARDAY or BYWEEKNO, not both');
  if (parts.has('COUNT') && parts.has('UNTIL')) faults.push('give COUNT or UNTIL, not both');
  const others = [...parts.keys()].filter((name) => name.startsWith('BY') && name !== 'BYSETPOS');
  if (parts.has('BYSETPOS') && others.length === 0) faults.push('BYSETPOS needs another part with BY');
  if (parts.has('BYSETPOS') && choicesOf(parts) > MAX_CHOICES)
    faults.push(`BYSETPOS chooses from ${choicesOf(parts)} times, at most ${MAX_CHOICES}; shorten the lists`);
  return faults;
}

/** Not less than the times in one period of the rule. */
function choicesOf(parts: ReadonlyMap<string, string>): number {
  const isYearly = parts.get('FREQ') === 'YEARLY';
  const size = (name: string): number => parts.get(name)?.split(',').length ?? 1;
  const months = isYearly ? (parts.has('BYMONTH') ? size('BYMONTH') : 12) : 1;
  const ofDays = [
    ...(parts.has('BYMONTHDAY') ? [months * size('BYMONTHDAY')] : []),
    ...(parts.has('BYYEARDAY') ? [size('BYYEARDAY')] : []),
    ...(parts.has('BYDAY') ? [size('BYDAY') * (isYearly && !parts.has('BYMONTH') ? 53 : 5 * months)] : []),
    ...(parts.has('BYWEEKNO') && !parts.has('BYDAY') ? [size('BYWEEKNO')] : []),
  ];
  const days = ofDays.length > 0 ? Math.min(...ofDays) : months;
  return days * size('BYHOUR') * size('BYMINUTE');
}

function toRule(parts: ReadonlyMap<string, string>): RecurrenceRule {
  const pattern = [...parts]
    .filter(([name]) => name !== 'COUNT' && name !== 'UNTIL')
    .map((part) => part.join('='))
    .join(';');
  const count = parts.get('COUNT');
  const until = parts.get('UNTIL');
  return {
    pattern,
    count: count === undefined ? null : Number(count),
    until: until === undefined ? null : untilOf(until),
  };
}

/** A date includes its whole day. */
function untilOf(value: string): RecurrenceRule['until'] {
  const [, year, month, day, hour = '23', minute = '59', second = '59', utc = ''] = UNTIL.exec(value) ?? [];
  if (day === undefined) return null;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const instant = new Date(`${local}Z`);
  // The engine rolls a day that does not exist, such as 30 February, over to the next month.
  if (Number.isNaN(instant.getTime()) || instant.toISOString().slice(0, 19) !== local) return null;
  return utc === 'Z' ? { instant } : { local };
}
