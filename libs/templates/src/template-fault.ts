/** A validation or rendering error of a template, with its position. Lines and columns start at 1. */
export class TemplateFault extends Error {
  readonly line: number | null;
  readonly column: number | null;

  constructor(message: string, line: number | null = null, column: number | null = null) {
    super(message);
    this.name = 'TemplateFault';
    this.line = line;
    this.column = column;
  }
}

/** `line 2, column 4: the variable "name" is missing from the payload` */
export function describeFault({ message, line, column }: TemplateFault): string {
  return line === null ? message : `line ${line}, column ${column ?? '?'}: ${message}`;
}
