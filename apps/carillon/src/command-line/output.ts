// Results go to standard output, everything else to standard error.

// Values come from tenants' data: without this, one with an escape sequence could control the terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export interface JsonOption {
  json?: boolean | undefined;
}

export function printable(text: string): string {
  return text.replace(CONTROL, '\ufffd');
}

/** JSON that does not control the terminal either. JSON itself escapes the characters below U+0020. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Prints one result: with `--json` the value, else the text. */
export function printResult({ json }: JsonOption, value: unknown, text: () => string): void {
  process.stdout.write(json ? `${jsonText(value, 2)}\n` : `${printable(text())}\n`);
}

/** Prints one item of many: with `--json` as one line of JSON. */
export function printItem({ json }: JsonOption, value: unknown, text: () => string): void {
  process.stdout.write(json ? `${jsonText(value)}\n` : `${printable(text())}\n`);
}

export function printNote(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** A line on standard error that replaces itself. Writes nothing if standard error is not a terminal. */
export class ProgressLine {
  private shown = '';

  show(text: string): void {
    if (!process.stderr.isTTY) return;
    // Not `printable` alone, which keeps a line break.
    const line = printable(text).replaceAll('\n', ' ');
    process.stderr.write(`\r${line.padEnd(this.shown.length)}`);
    this.shown = line;
  }

  end(): void {
    if (this.shown !== '') process.stderr.write(`\r${' '.repeat(this.shown.length)}\r`);
    this.shown = '';
  }
}

/** Columns aligned by their longest cell. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map((cell) => (cell === null ? '-' : String(cell))));
  const widths = headings.map((_, index) => Math.max(...cells.map((row) => row[index]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`;
}
