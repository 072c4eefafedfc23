import { existsSync, statSync } from 'node:fs';
import type { ApiClient } from '../api/api-client.js';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { CommandError, exitCodes, usageError } from '../exit-codes.js';
import { count, ProgressLine, printResult } from '../output.js';
import { ImportReport } from './import-report.js';
import { type ImportedRecipient, type Mapping, type MappingOptions, RowFault } from './imported-recipient.js';
import { mapKnock } from './knock.js';
import { mapNovu } from './novu.js';
import { type Row, readRows } from './read-rows.js';
import { writeRecipient } from './write-recipient.js';

/** Recipients that are written at the same time. */
const CONCURRENCY = 16;

export interface ImportRecipientsRun extends ConnectionOptions, MappingOptions {
  from: 'novu' | 'knock';
  yes?: boolean;
  refused?: string;
}

const MAPPINGS: Record<ImportRecipientsRun['from'], Mapping> = { novu: mapNovu, knock: mapKnock };

export async function importRecipients(file: string, options: ImportRecipientsRun): Promise<void> {
  if (!existsSync(file) || !statSync(file).isFile()) throw usageError(`There is no file ${file}.`);
  const client = await connect(options, 'api-key');
  const report = new ImportReport(options.refused);
  try {
    await new RecipientImport(client, report, options).run(file);
  } finally {
    report.close();
  }
  const dryRun = !options.yes;
  printResult(options, report.value(dryRun), () => report.text(dryRun));
  if (report.hasRefused) process.exitCode = exitCodes.findings;
}

class RecipientImport {
  private readonly progress = new ProgressLine();
  /** Rows that are being written, by recipient: a later row of the same one waits for it. */
  private readonly running = new Map<string, Promise<void>>();
  /** `profile` or `preferences`, and the id: what earlier rows had. */
  private readonly seen = new Set<string>();
  private failure: { error: unknown; line: number } | null = null;

  constructor(
    private readonly client: ApiClient,
    private readonly report: ImportReport,
    private readonly options: ImportRecipientsRun,
  ) {}

  async run(file: string): Promise<void> {
    for await (const row of readRows(file)) {
      if (this.failure) break;
      this.report.rows += 1;
      if (this.report.rows % 100 === 0) this.progress.show(this.report.progress());
      await this.take(row);
    }
    await Promise.all(this.running.values());
    this.progress.end();
    if (this.failure) throw stopped(this.failure, this.report.rows);
  }

  private async take(row: Row): Promise<void> {
    const { line } = row;
    if ('fault' in row) {
      this.report.refuse({ line, reason: row.fault });
      return;
    }
    const recipient = this.mapped(row.value, line);
    if (!recipient) return;
    while (this.running.size >= CONCURRENCY) await Promise.race(this.running.values());
    const { id } = recipient;
    await this.running.get(id);
    const isCreated = this.seen.has(`profile ${id}`);
    if (!this.note(recipient, line)) return;
    const run = this.write(recipient, { line, isCreated }).finally(() => this.running.delete(id));
    this.running.set(id, run);
  }

  private mapped(value: Record<string, unknown>, line: number): ImportedRecipient | null {
    try {
      return MAPPINGS[this.options.from](value, this.options);
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      this.report.refuse({ line, reason: error.message });
      return null;
    }
  }

  /** False for a second row with the same content for a recipient, of which the first counts. */
  private note(recipient: ImportedRecipient, line: number): boolean {
    const { id } = recipient;
    const keys = keysOf(recipient, line);
    if (keys.some((key) => this.seen.has(key))) {
      this.report.refuse({ line, id, reason: 'an earlier row has the same id' });
      return false;
    }
    for (const key of keys) this.seen.add(key);
    return true;
  }

  private async write(recipient: ImportedRecipient, { line, isCreated }: { line: number; isCreated: boolean }) {
    const { id, notImported } = recipient;
    try {
      this.report.done(await writeRecipient(this.client, recipient, { dryRun: !this.options.yes, isCreated }));
      this.report.leaveOut(notImported);
    } catch (error) {
      const isRowsFault = error instanceof CommandError && [409, 413, 422].includes(Number(error.details['status']));
      if (!isRowsFault) this.failure ??= { error, line };
      else {
        this.report.refuse({ line, id, reason: error.message });
        // A later row of the same recipient may be right.
        for (const key of keysOf(recipient, line)) this.seen.delete(key);
      }
    }
  }
}

/** What a row has of a recipient. Only one row may have each of them. */
function keysOf({ id, profile, choices, devices }: ImportedRecipient, line: number): string[] {
  const parts = [profile && 'profile', choices && 'preferences', !profile && devices.length > 0 && `devices ${line}`];
  return parts.filter((part) => typeof part === 'string').map((part) => `${part} ${id}`);
}

function stopped({ error, line }: { error: unknown; line: number }, rows: number): unknown {
  if (!(error instanceof CommandError)) return error;
  const hint = `Stopped in line ${line} after ${count(rows, 'row')}. Run it again: what is done does not change.`;
  return new CommandError(`${error.message}\n${hint}`, error.exitCode, { ...error.details, line });
}
