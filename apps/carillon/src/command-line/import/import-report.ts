import { closeSync, openSync, writeSync } from 'node:fs';
import { CommandError, exitCodes } from '../exit-codes.js';
import { count, jsonText } from '../output.js';

export type Result = 'created' | 'changed' | 'unchanged';

/** Shown at the end. All of them are in the file of --refused. */
const MAX_SHOWN = 100;
/** Names of fields come from the file, which may have a new one in each row. */
const MAX_NAMES = 200;

export interface RefusedRow {
  line: number;
  id?: string;
  reason: string;
}

/** Counts of an import, in bounded memory. */
export class ImportReport {
  rows = 0;
  private readonly results: Record<Result, number> = { created: 0, changed: 0, unchanged: 0 };
  private readonly shown: RefusedRow[] = [];
  private readonly notImported = new Map<string, number>();
  private readonly file: number | null;
  private refused = 0;

  constructor(refusedFile: string | undefined) {
    this.file = refusedFile === undefined ? null : openFile(refusedFile);
  }

  done(result: Result): void {
    this.results[result] += 1;
  }

  refuse(row: RefusedRow): void {
    this.refused += 1;
    if (this.shown.length < MAX_SHOWN) this.shown.push(row);
    if (this.file !== null) writeRow(this.file, row);
  }

  /** Counts each of the names once for a row. */
  leaveOut(names: readonly string[]): void {
    for (const name of new Set(names)) {
      const isKnown = this.notImported.has(name) || this.notImported.size < MAX_NAMES;
      const key = isKnown ? name : 'others';
      this.notImported.set(key, (this.notImported.get(key) ?? 0) + 1);
    }
  }

  get hasRefused(): boolean {
    return this.refused > 0;
  }

  /** `share` is the part of the file that is read. */
  progress(seconds: number, share: number): string {
    const { created, changed, unchanged } = this.results;
    const done = created + changed + unchanged + this.refused;
    const left = share > 0 ? `, ${durationText((seconds / share) * (1 - share))} left` : '';
    const rate = Math.round(done / seconds).toLocaleString('en-US');
    return (
      `${count(done, 'row')} (${Math.floor(share * 100)}%), ${rate} a second${left}: ` +
      `${created} new, ${changed} changed, ${unchanged} unchanged, ${this.refused} refused`
    );
  }

  counts(dryRun: boolean): string {
    const { created, changed, unchanged } = this.results;
    const verb = dryRun ? 'would be created' : 'created';
    return `${created} ${verb}, ${changed} changed, ${unchanged} unchanged, ${this.refused} refused.`;
  }

  close(): void {
    if (this.file !== null) closeSync(this.file);
  }

  value(dryRun: boolean): object {
    return {
      dry_run: dryRun,
      rows: this.rows,
      ...this.results,
      refused: this.refused,
      refused_rows: this.shown,
      not_imported: Object.fromEntries(this.notImported),
    };
  }

  text(dryRun: boolean): string {
    const hidden = this.refused - this.shown.length;
    return [
      ...this.shown.map(
        ({ line, id, reason }) => `Refused: line ${line}${id === undefined ? '' : `, ${id}`}: ${reason}`,
      ),
      ...(hidden > 0 ? [`Refused: ${count(hidden, 'more row')}; --refused writes all of them to a file.`] : []),
      ...[...this.notImported].map(([name, rows]) => `Not imported: ${name} (${count(rows, 'row')})`),
      `${count(this.rows, 'row')}: ${this.counts(dryRun)}`,
      ...(dryRun ? ['Nothing was written: add --yes.'] : []),
    ].join('\n');
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw fileError(error);
  }
}

/** Throws CommandError if the row cannot be written, such as on a full disk. */
function writeRow(file: number, row: RefusedRow): void {
  try {
    writeSync(file, `${jsonText(row)}\n`);
  } catch (error) {
    throw fileError(error);
  }
}

/** The error of the system does not say which option has the file. */
function fileError(error: unknown): CommandError {
  const message = `The file of --refused cannot be written: ${(error as Error).message}`;
  return new CommandError(message, exitCodes.failed, { code: 'file_not_written' });
}

function durationText(seconds: number): string {
  const rounded = Math.round(seconds);
  return rounded < 60 ? `${rounded} s` : `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}
