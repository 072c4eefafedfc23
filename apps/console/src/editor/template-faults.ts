import type { Diagnostic } from '@codemirror/lint';
import type { Text } from '@codemirror/state';

/** A fault in one field. Lines and columns begin with 1. */
export interface Fault {
  message: string;
  line?: number;
  column?: number;
}

export function toDiagnostics(doc: Text, faults: readonly Fault[]): Diagnostic[] {
  return faults.map(({ message, line = 1, column = 1 }) => {
    const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const start = Math.min(from + column - 1, to);
    // The whole tag, such as {{name}}: the fault is at its first character or inside it.
    const before = doc.sliceString(Math.max(from, start - 3), start).lastIndexOf('{{');
    const begin = before === -1 ? start : Math.max(from, start - 3) + before;
    const end = doc.sliceString(start, to).indexOf('}}');
    return { from: begin, to: end === -1 ? to : start + end + 2, severity: 'error', message };
  });
}

/** The API's messages begin with the place: `line 2, column 4: the variable "name" is missing from the payload`. */
export function faultOf(message: string): Fault {
  const [, line, column, rest] = /^line (\d+), column (\d+|\?): (.*)$/s.exec(message) ?? [];
  if (!line || !rest) return { message };
  return { message: rest, line: Number(line), ...(column !== '?' && { column: Number(column) }) };
}

export function placeInWords({ line, column }: Fault): string {
  if (line === undefined) return '';
  return column === undefined ? `line ${line}` : `line ${line}, column ${column}`;
}
