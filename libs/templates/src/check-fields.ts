import type { FieldKind, PartialUse } from '#domain';
import { CONTENT_NAME } from './check-source.ts';
import { type Content, type FieldRules, sourcesOf } from './fields.ts';
import type { Include, Program } from './program.ts';
import type { CheckedContent, ContentFault } from './render-job.ts';
import { describeFault, TemplateFault } from './template-fault.ts';

/** Returns all errors in the sources of a content, and the partials that it includes. */
export function checkFields(
  rules: FieldRules,
  content: Content,
  programOf: (source: string, kind: FieldKind) => Program,
): CheckedContent {
  const faults: ContentFault[] = [];
  const uses = new Map<string, PartialUse[]>();
  for (const { pointer, text, kind } of sourcesOf(rules, content)) {
    try {
      const { includes } = programOf(text, kind);
      if (includes.length > 0) addUses(uses, pointer.split('/', 2)[1]!, includes);
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      faults.push({ pointer, message: describeFault(error) });
    }
  }
  return { faults, uses: Object.fromEntries(uses) };
}

function addUses(uses: Map<string, PartialUse[]>, field: string, includes: readonly Include[]): void {
  const found = uses.get(field) ?? [];
  const names = new Set(found.map(({ name }) => name));
  for (const { name, line, column } of includes) {
    if (name !== CONTENT_NAME && names.has(name)) continue;
    names.add(name);
    found.push({ name, line, column });
  }
  uses.set(field, found);
}
