/** A partial update: fields that are absent or undefined keep their value. */
export type Change<Fields> = { [Name in keyof Fields]?: Fields[Name] | undefined };

/** The fields of a partial update that have a value: Prisma's types distinguish absent from undefined. */
export function changedFields<Fields extends object>(
  change: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
