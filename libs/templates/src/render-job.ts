// The messages between the event loop and a render thread.

import type { FieldKind, Includes, PartialUses } from '#domain';
import type { Content, FieldRules } from './fields.ts';
import type { PayloadFault } from './payload-schema/evaluate-schema.ts';
import type { Program } from './program.ts';

/** An error in a field of a content. */
export interface ContentFault {
  /** RFC 6901 pointer within the content: `/subject`, `/data/url`. */
  pointer: string;
  message: string;
}

export interface CheckedContent {
  faults: ContentFault[];
  /** Each partial that the content includes itself, once for each field; `@content` once for each tag. */
  uses: PartialUses;
}

/** A payload that several jobs share, as JSON in UTF-8. */
export interface SharedLayer {
  id: string;
  bytes: SharedArrayBuffer;
}

export type Job =
  | { kind: 'check'; rules: FieldRules; content: Content }
  /**
   * `layers`: layers of the payload as JSON, which takes a tenth of the time of a structured clone. `learn`: return the
   * programs with the message, so that the next render can be inline.
   */
  | {
      kind: 'render';
      rules: FieldRules;
      content: Content;
      includes: Includes | null;
      layers: (string | SharedLayer)[];
      learn: boolean;
    }
  /** Checks a payload, as JSON, against payload schemas, as JSON. */
  | { kind: 'validate'; schemas: readonly string[]; payload: string };

export interface LearnedProgram {
  source: string;
  kind: FieldKind;
  /** `large`: too large for the event loop. */
  program: Program | 'large';
}

export type JobResult =
  | ({ kind: 'checked' } & CheckedContent)
  | { kind: 'rendered'; message: Content; learned: LearnedProgram[] }
  | { kind: 'validated'; faults: PayloadFault[] }
  | { kind: 'fault'; message: string };

/**
 * Sent by a thread when it is ready and after each job, with its processor time so far, or null if Node cannot measure
 * it.
 */
export interface ThreadMessage {
  cpuMs: number | null;
  result: JobResult | null;
}
