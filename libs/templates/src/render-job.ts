// The messages between the event loop and a render thread.

import type { FieldKind } from '#domain';
import type { Content, FieldRules } from './fields.ts';
import type { Program } from './program.ts';

/** A faulty field of a content: which, what, and where in it. */
export interface ContentFault {
  /** RFC 6901 pointer within the content: `/subject`, `/data/url`. */
  pointer: string;
  message: string;
}

/** A payload that several jobs have in common: UTF-8 of its JSON. */
export interface SharedLayer {
  id: string;
  bytes: SharedArrayBuffer;
}

export type Job =
  | { kind: 'check'; rules: FieldRules; content: Content }
  /**
   * `layers`: of the payload, as JSON, which is made in a tenth of the time of a structured clone. `learn`: the programs come back with the message, so that the next render can be inline.
   */
  | { kind: 'render'; rules: FieldRules; content: Content; layers: (string | SharedLayer)[]; learn: boolean };

export interface LearnedProgram {
  source: string;
  kind: FieldKind;
  /** `large`: too large for the event loop. */
  program: Program | 'large';
}

export type JobResult =
  | { kind: 'checked'; faults: ContentFault[] }
  | { kind: 'rendered'; message: Content; learned: LearnedProgram[] }
  | { kind: 'fault'; message: string };

/** What a thread says once it is ready, and after each job: its processor time so far, where Node can tell. */
export interface ThreadMessage {
  cpuMs: number | null;
  result: JobResult | null;
}
