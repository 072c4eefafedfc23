/** Collects the values of a statement while its text is written. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Returns the parameter as it stands in the text: `$1`, `$2`, … */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}
