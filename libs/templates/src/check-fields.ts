import type { FieldKind } from '#domain';
import { type Content, type FieldRules, sourcesOf } from './fields.ts';
import type { Program } from './program.ts';
import type { ContentFault } from './render-job.ts';
import { describeFault, TemplateFault } from './template-fault.ts';

/** Returns all errors in the sources of a content. */
export function checkFields(
  rules: FieldRules,
  content: Content,
  programOf: (source: string, kind: FieldKind) => Program,
): ContentFault[] {
  const faults: ContentFault[] = [];
  for (const { pointer, text, kind } of sourcesOf(rules, content)) {
    try {
      programOf(text, kind);
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      faults.push({ pointer, message: describeFault(error) });
    }
  }
  return faults;
}
