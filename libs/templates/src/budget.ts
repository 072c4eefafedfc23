import { TemplateFault } from './template-fault.ts';

/** Iterations of all `each` loops of one message. */
export const MAX_TURNS = 10_000;
/** Characters written for all fields of one message, including intermediate results of helpers. */
export const MAX_CHARACTERS = 1_000_000;
/** Steps of one message. A step takes about 0.1 µs; docs/templates.md lists what counts as one. */
export const MAX_STEPS = 1_000_000;
/** Steps of a render on the event loop, which take about half a millisecond. */
export const MAX_INLINE_STEPS = 5_000;
/** Copying, escaping or comparing this many characters takes as long as one step. */
const CHARACTERS_PER_STEP = 16;

/**
 * Thrown by an inline render that needs more steps than the event loop may spend; the render starts again in a thread.
 */
export class TooLongInline extends Error {
  constructor() {
    super('the render takes longer than the event loop may spend');
    this.name = 'TooLongInline';
  }
}

/**
 * The remaining steps, loop iterations and characters of one message. Each method throws when its part is exhausted.
 */
export class Budget {
  private readonly inline: boolean;
  private steps: number;
  private turns = MAX_TURNS;
  private characters = MAX_CHARACTERS;

  constructor(inline: boolean) {
    this.inline = inline;
    this.steps = inline ? MAX_INLINE_STEPS : MAX_STEPS;
  }

  spend(steps: number): void {
    this.steps -= steps;
    if (this.steps >= 0) return;
    if (this.inline) throw new TooLongInline();
    throw new TemplateFault(`more than ${MAX_STEPS} steps`);
  }

  turn(): void {
    this.turns -= 1;
    if (this.turns < 0) throw new TemplateFault(`more than ${MAX_TURNS} turns of {{#each}}`);
    this.spend(1);
  }

  /** Charges work on existing text: comparing, escaping, scanning. */
  read(characters: number): void {
    this.spend(1 + Math.floor(characters / CHARACTERS_PER_STEP));
  }

  /** Charges text that is kept unchanged: it takes memory but hardly any time. */
  keep(characters: number): void {
    this.characters -= characters;
    if (this.characters < 0) throw new TemplateFault(`more than ${MAX_CHARACTERS} characters`);
    this.spend(1);
  }

  /** Charges new text of this length. To be called before the text is created. */
  write(characters: number): void {
    this.keep(characters);
    this.read(characters);
  }
}
