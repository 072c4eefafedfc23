import type { FieldError, IncludedPart, Includes, PartialUse, PartialUses } from '#domain';
import type { StoredPart } from './stored-parts.js';
import type { TemplatePlace } from './template.js';

/** Partials in partials. */
const MAX_INCLUDE_DEPTH = 10;
/** Partials that one template includes, directly or through others. */
const MAX_PARTIALS = 50;
/** Bytes of all sources that one template includes. */
const MAX_INCLUDED_BYTES = 256 * 1024;

/** What gathering needs of a template, partial or layout. */
export interface Including extends TemplatePlace {
  layout: string | null;
  uses: PartialUses;
}

export interface Gathered {
  includes: Includes | null;
  /** The id of each partial and the layout by its key. */
  included: Record<string, string>;
  faults: FieldError[];
}

interface PartFinder {
  find(kind: 'partial' | 'layout', key: string, locale: string): Promise<StoredPart | null>;
}

/** Reads everything that a template includes, and returns every fault. */
export async function gatherIncludes(parts: PartFinder, including: Including): Promise<Gathered> {
  const { layout: layoutKey, locale, channel } = including;
  const faults: FieldError[] = [];
  const layout = layoutKey === null ? null : await parts.find('layout', layoutKey, locale);
  if (layoutKey !== null && !layout) {
    const message = `there is no layout ${JSON.stringify(layoutKey)} for ${channel}`;
    faults.push({ pointer: '/layout', code: 'unknown_layout', message });
  }
  const partials = await readPartials(parts, including, layout);
  if (partials.size > MAX_PARTIALS) faults.push(tooMuch(`more than ${MAX_PARTIALS} partials are included`));
  else faults.push(...new UseChecks(including, partials, layout).faults());
  const all = [...partials.values(), ...(layout ? [layout] : [])];
  const bytes = all
    .flatMap(({ content }) => Object.values(content))
    .reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_INCLUDED_BYTES)
    faults.push(tooMuch(`the layout and the partials have ${bytes} bytes, at most ${MAX_INCLUDED_BYTES} are allowed`));
  return {
    includes: all.length > 0 ? { layout: layout && bare(layout), partials: mapOf(partials, bare) } : null,
    included: { ...mapOf(partials, ({ id }) => id), ...(layout && { [layoutKey!]: layout.id }) },
    faults,
  };
}

function tooMuch(message: string): FieldError {
  return { pointer: '/content', code: 'too_many_partials', message };
}

function bare({ id, locale, version, content }: StoredPart): IncludedPart {
  return { id, locale, version, content };
}

function mapOf<Value>(
  partials: ReadonlyMap<string, StoredPart>,
  of: (part: StoredPart) => Value,
): Record<string, Value> {
  return Object.fromEntries([...partials].map(([key, part]) => [key, of(part)]));
}

/** Stops one above the limit. */
async function readPartials(
  parts: PartFinder,
  { locale, uses }: Including,
  layout: StoredPart | null,
): Promise<Map<string, StoredPart>> {
  const found = new Map<string, StoredPart>();
  const seen = new Set<string>();
  const waiting = [...namesIn(uses), ...namesIn(layout?.uses ?? {})];
  for (let name = waiting.shift(); name !== undefined && found.size <= MAX_PARTIALS; name = waiting.shift()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const part = await parts.find('partial', name, locale);
    if (!part) continue;
    found.set(name, part);
    waiting.push(...namesIn(part.uses));
  }
  return found;
}

/** Keys begin with a letter or a digit; `@content` is not one. */
function isKey(name: string): boolean {
  return !name.startsWith('@');
}

function namesIn(uses: PartialUses): string[] {
  return Object.values(uses).flatMap((list) => list.map(({ name }) => name).filter(isKey));
}

/** Checks each field by itself, because a partial includes the same field of other partials. */
class UseChecks {
  private readonly found: FieldError[] = [];
  /** How many partials are nested below a partial, by field and name. */
  private readonly heights = new Map<string, number>();
  /** The partials that contain the present place. */
  private readonly open: string[] = [];

  constructor(
    private readonly including: Including,
    private readonly partials: ReadonlyMap<string, StoredPart>,
    private readonly layout: StoredPart | null,
  ) {}

  faults(): FieldError[] {
    const { key, kind, uses } = this.including;
    if (kind === 'partial') this.open.push(key);
    for (const [field, list] of Object.entries(uses)) this.heightOf(field, list, '');
    for (const [field, list] of Object.entries(this.layout?.uses ?? {})) this.heightOf(field, list, 'in the layout, ');
    return this.found;
  }

  private heightOf(field: string, uses: readonly PartialUse[], where: string): number {
    return Math.max(0, ...uses.filter(({ name }) => isKey(name)).map((use) => 1 + this.heightBelow(field, use, where)));
  }

  private heightBelow(field: string, use: PartialUse, where: string): number {
    const { name } = use;
    const known = this.heights.get(`${field} ${name}`);
    if (known !== undefined) return known;
    const part = this.partials.get(name);
    const fault = this.faultOf(field, name, part);
    let height = 0;
    if (fault) this.add(field, use, where, fault);
    else {
      this.open.push(name);
      height = this.heightOf(field, part!.uses[field] ?? [], `in the partial ${JSON.stringify(name)}, `);
      this.open.pop();
      if (height === MAX_INCLUDE_DEPTH)
        this.add(field, use, where, ['too_many_partials', `more than ${MAX_INCLUDE_DEPTH} nested partials`]);
    }
    // One error for each partial and field is enough.
    this.heights.set(`${field} ${name}`, height);
    return height;
  }

  private faultOf(field: string, name: string, part: StoredPart | undefined): [code: string, message: string] | null {
    const quoted = JSON.stringify(name);
    const trail = [...this.open, name].join(' → ');
    if (this.open.includes(name)) return ['partial_cycle', `the partial ${quoted} includes itself: ${trail}`];
    if (!part) return ['unknown_partial', `there is no partial ${quoted} for ${this.including.channel}`];
    if (!Object.hasOwn(part.content, field)) return ['unknown_partial', `the partial ${quoted} has no ${field}`];
    return null;
  }

  private add(field: string, { line, column }: PartialUse, where: string, [code, message]: [string, string]): void {
    this.found.push({
      pointer: `/content/${field}`,
      code,
      message: `${where}line ${line}, column ${column}: ${message}`,
    });
  }
}
