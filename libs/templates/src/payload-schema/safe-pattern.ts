// Regular expressions of tenants. `RegExp` takes exponential time for some of them, so only a sequence of characters
// and classes, each with a quantifier, is accepted. It is matched in steps: characters times parts of the pattern.

/** A longer text matches no pattern. */
const MAX_MATCHED = 1_000;
/** Characters of a pattern. */
const MAX_PATTERN = 200;
/** `{n,m}` of a pattern. */
const MAX_REPEATS = 1_000;

interface Part {
  /** Whether a character matches. */
  matches: (character: string) => boolean;
  min: number;
  max: number;
}

export interface SafePattern {
  source: string;
  /** Number of characters and classes. */
  size: number;
  /** Characters; a longer text does not match. */
  maxLength: number;
  test: (text: string) => boolean;
}

const PART =
  /(\[(?:[^\\\]]|\\.)+\]|\\[dDwWsS.\-/\\^$*+?()[\]{}|]|[^\\^$*+?()[\]{}|])([*+?]|\{\d{1,4}(?:,\d{0,4})?\})?/uy;

/** Returns why a pattern is not accepted, or the pattern. */
export function readPattern(source: string): SafePattern | string {
  if (source.length > MAX_PATTERN) return `has ${source.length} characters, at most ${MAX_PATTERN} are allowed`;
  const isFromStart = source.startsWith('^');
  const isToEnd = /(?<!\\)(?:\\\\)*\$$/.test(source);
  const end = source.length - (isToEnd ? 1 : 0);
  const parts: Part[] = [];
  for (let at = isFromStart ? 1 : 0; at < end; ) {
    PART.lastIndex = at;
    const found = PART.exec(source);
    if (!found || found.index + found[0].length > end) {
      const place = JSON.stringify(source.slice(at, at + 10));
      return `has ${place}, which is not supported: no groups, alternatives, look-around or references`;
    }
    const part = readPart(found[1]!, found[2] ?? '');
    if (typeof part === 'string') return part;
    parts.push(part);
    at += found[0].length;
  }
  return {
    source,
    size: parts.length,
    maxLength: MAX_MATCHED,
    test: (text) => matchAll(parts, text, { isFromStart, isToEnd }),
  };
}

function readPart(atom: string, quantifier: string): Part | string {
  const [min, max] = rangeOf(quantifier);
  if (min > max) return `has ${quantifier}, whose first number is larger than its second`;
  if (min > MAX_REPEATS || (max > MAX_REPEATS && max !== Number.POSITIVE_INFINITY))
    return `has ${quantifier}, at most ${MAX_REPEATS} repetitions are allowed`;
  try {
    // Sees one character at a time, so it cannot backtrack.
    const one = new RegExp(`^${atom}$`, 'u');
    const ascii = Uint8Array.from({ length: 128 }, (_, code) => Number(one.test(String.fromCharCode(code))));
    const matches = (character: string): boolean => {
      const code = character.codePointAt(0)!;
      return code < 128 ? ascii[code] === 1 : one.test(character);
    };
    return { matches, min, max };
  } catch {
    return `has the invalid part ${JSON.stringify(atom)}`;
  }
}

function rangeOf(quantifier: string): [min: number, max: number] {
  switch (quantifier) {
    case '':
      return [1, 1];
    case '*':
      return [0, Number.POSITIVE_INFINITY];
    case '+':
      return [1, Number.POSITIVE_INFINITY];
    case '?':
      return [0, 1];
    default: {
      const [min, max] = quantifier.slice(1, -1).split(',');
      return [Number(min), max === undefined ? Number(min) : max === '' ? Number.POSITIVE_INFINITY : Number(max)];
    }
  }
}

/** Keeps the set of positions that the parts so far can reach, as a simulation of an automaton does. */
function matchAll(
  parts: readonly Part[],
  text: string,
  { isFromStart, isToEnd }: { isFromStart: boolean; isToEnd: boolean },
): boolean {
  if (text.length > MAX_MATCHED) return false;
  const characters = [...text];
  let reached = new Uint8Array(characters.length + 1);
  if (isFromStart) reached[0] = 1;
  else reached.fill(1);
  for (const part of parts) reached = after(part, characters, reached);
  return isToEnd ? reached[characters.length] === 1 : reached.includes(1);
}

function after({ matches, min, max }: Part, characters: readonly string[], from: Uint8Array): Uint8Array<ArrayBuffer> {
  // Adds 1 where a range of reachable positions begins and subtracts 1 behind its end.
  const edges = new Int32Array(characters.length + 2);
  let run = 0;
  for (let at = characters.length; at >= 0; at -= 1) {
    run = at < characters.length && matches(characters[at]!) ? run + 1 : 0;
    if (from[at] !== 1 || run < min) continue;
    edges[at + min]! += 1;
    edges[at + Math.min(max, run) + 1]! -= 1;
  }
  const reached = new Uint8Array(characters.length + 1);
  let open = 0;
  for (let at = 0; at <= characters.length; at += 1) {
    open += edges[at]!;
    if (open > 0) reached[at] = 1;
  }
  return reached;
}
