import Handlebars from 'handlebars';

type Path = readonly string[];

/** Reads the payload of a block: the names in it are those of its value. */
type Names = Map<string, Names>;

/**
 * The variables that the sources use, as nested names: `order` with `id`. Names inside `each` and `with` belong to
 * their value. Sources that do not parse are left out; the API reports their faults.
 */
export function usedVariables(sources: readonly string[]): Names {
  const names: Names = new Map();
  for (const source of sources) {
    const program = parsed(source);
    if (program) visit(program, [names]);
  }
  return names;
}

/** The names that the payload lacks, as paths: `order.id`. */
export function missingVariables(names: Names, payload: unknown, before: Path = []): string[] {
  return [...names].flatMap(([name, inside]) => {
    const path = [...before, name];
    const value = isObject(payload) ? payload[name] : undefined;
    if (value === undefined) return inside.size > 0 ? leaves(inside, path) : [path.join('.')];
    const item = Array.isArray(value) ? value[0] : value;
    return Array.isArray(value) && value.length === 0 ? [] : missingVariables(inside, item, path);
  });
}

/** The payload with a placeholder for each missing name. */
export function withPlaceholders(
  payload: Record<string, unknown>,
  missing: readonly string[],
): Record<string, unknown> {
  const next = structuredClone(payload);
  for (const path of missing) {
    const parts = path.split('.');
    let place: Record<string, unknown> = next;
    for (const part of parts.slice(0, -1)) {
      const value = place[part];
      const inner = Array.isArray(value) ? value[0] : value;
      if (isObject(inner)) place = inner;
      else place = place[part] = {};
    }
    place[parts.at(-1)!] = parts.at(-1);
  }
  return next;
}

function leaves(names: Names, before: Path): string[] {
  return [...names].flatMap(([name, inside]) =>
    inside.size > 0 ? leaves(inside, [...before, name]) : [[...before, name].join('.')],
  );
}

function parsed(source: string): hbs.AST.Program | null {
  try {
    return Handlebars.parse(source);
  } catch {
    return null;
  }
}

/** `frames`: the names of the present context and of those around it, the innermost first. */
function visit(node: hbs.AST.Node | undefined, frames: readonly Names[]): void {
  if (!node) return;
  if (node.type === 'Program') for (const child of (node as hbs.AST.Program).body) visit(child, frames);
  else if (node.type === 'MustacheStatement' || node.type === 'SubExpression')
    call(node as hbs.AST.SubExpression, frames);
  else if (node.type === 'BlockStatement') block(node as hbs.AST.BlockStatement, frames);
  else if (node.type === 'PathExpression') note(node as hbs.AST.PathExpression, frames);
}

function call({ path, params, hash }: hbs.AST.SubExpression, frames: readonly Names[]): void {
  // `default` is for variables that may be missing.
  if ((path as hbs.AST.PathExpression).original === 'default') return;
  if (params.length === 0 && !hash?.pairs.length) visit(path, frames);
  for (const param of params) visit(param, frames);
  for (const pair of hash?.pairs ?? []) visit(pair.value, frames);
}

function block({ path, params, program, inverse }: hbs.AST.BlockStatement, frames: readonly Names[]): void {
  const [value] = params;
  const name = (path as hbs.AST.PathExpression).original;
  const opensContext = name === 'each' || name === 'with';
  // `if` and `unless` ask whether a variable is there.
  if (value && value.type === 'SubExpression') visit(value, frames);
  const inside =
    opensContext && value?.type === 'PathExpression' ? note(value as hbs.AST.PathExpression, frames) : null;
  visit(program, inside ? [inside, ...frames] : frames);
  visit(inverse, frames);
}

/** Adds a path, and returns the names below it. */
function note({ data, depth, parts, original }: hbs.AST.PathExpression, frames: readonly Names[]): Names | null {
  const start = frames[depth];
  if (data || !start || (depth === 0 && /^this$|^\.$/.test(original))) return null;
  let at = start;
  for (const part of parts as unknown as string[]) {
    const next = at.get(part) ?? new Map();
    at.set(part, next);
    at = next;
  }
  return at;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
