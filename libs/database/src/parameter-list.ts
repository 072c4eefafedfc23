/** The named parameters of a statement. */
export interface ParameterList<Name extends string> {
  /** The parameters by name, as they stand in the text: `$1`, `$2`, … */
  readonly in: Readonly<Record<Name, string>>;
  /** The values in the order of the parameters. */
  values(of: Readonly<Record<Name, unknown>>): unknown[];
}

/** `parameterList('channel', 'lane')`: `$1` is the channel, `$2` the lane. */
export function parameterList<Name extends string>(...names: Name[]): ParameterList<Name> {
  const placeholders = names.map((name, index) => [name, `$${index + 1}`]);
  return {
    in: Object.fromEntries(placeholders) as Record<Name, string>,
    values: (of) => names.map((name) => of[name]),
  };
}
