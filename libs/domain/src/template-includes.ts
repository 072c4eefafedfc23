// What a template includes: partials and a layout.

export const templateKinds = ['template', 'partial', 'layout'] as const;
export type TemplateKind = (typeof templateKinds)[number];

/** The first tag that includes a partial in a field. Lines and columns start at 1. */
export interface PartialUse {
  name: string;
  line: number;
  column: number;
}

/** The partials that each field of a content includes itself. */
export type PartialUses = Readonly<Record<string, readonly PartialUse[]>>;

/** A partial or layout as it was when the version that includes it was written. */
export interface IncludedPart {
  id: string;
  locale: string;
  version: number;
  /** Sources by field. */
  content: Readonly<Record<string, string>>;
}

/** Everything that a version of a template includes, directly or through other partials. */
export interface Includes {
  layout: IncludedPart | null;
  /** By key. */
  partials: Readonly<Record<string, IncludedPart>>;
}
