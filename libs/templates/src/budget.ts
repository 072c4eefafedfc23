import { TemplateFault } from './template-fault.ts';

/** Turns of `each` in one message, all loops and fields together. */
export const MAX_TURNS = 10_000;
/** Characters written for one message, all fields together, including intermediate results of helpers. */
export const MAX_CHARACTERS = 1_000_000;
/** Steps of one message; a step takes about 0.1 µs (docs/templates.md lists what counts). */
export const MAX_STEPS = 1_000_000;
/** Steps of a render on the event loop: about half a millisecond. */
export const MAX_INLINE_STEPS = 5_000;
/** Copying, escaping or comparing this many characters takes as long as one step. */
const CHARACTERS_PER_STEP = 16;

/** Thrown by an inline render that needs more steps than the event loop may spend; the render starts again in a thread. */
export class TooLongInline extends Error {
  constructor() {
    super('the render takes longer than the event loop may spend');
    this.name = 'TooLongInline';
  }
}

/** The remaining steps, turns and characters of one message. Each method throws once its part is spent. */
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

  /** Work on existing text: comparing, escaping, scanning. */
  read(characters: number): void {
    this.spend(1 + Math.floor(characters / CHARACTERS_PER_STEP));
  }

  /** Text that is kept as it is: costs memory, hardly any time. */
  keep(characters: number): void {
    this.characters -= characters;
    if (this.characters < 0) throw new TemplateFault(`more than ${MAX_CHARACTERS} characters`);
    this.spend(1);
  }

  /** New text of this length, charged before it is made. */
  write(characters: number): void {
    this.keep(characters);
    this.read(characters);
  }
}
