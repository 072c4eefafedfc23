import { createReadStream, existsSync, type ReadStream, statSync } from 'node:fs';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { CommandError, exitCodes, usageError } from '../exit-codes.js';
import { count, ProgressLine, printResult } from '../output.js';
import { ImportReport } from './import-report.js';
import { type ImportedRecipient, type Mapping, type MappingOptions, RowFault } from './imported-recipient.js';
import { mapKnock } from './knock.js';
import { mapNovu } from './novu.js';
import { type Row, readRows } from './read-rows.js';
import { RecipientBatches } from './recipient-batches.js';
import { PREFERENCES, PROFILE, SeenRecipients } from './seen-recipients.js';

const MERGE = '/api/v1/recipients/bulk';
const PROGRESS_EVERY_MS = 200;

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
    const seen = new SeenRecipients();
    const batches = new RecipientBatches(client, report, seen, options.yes ? MERGE : `${MERGE}/explain`);
    await new RecipientImport({ batches, seen }, report, options).run(file);
  } finally {
    report.close();
  }
  const dryRun = !options.yes;
  printResult(options, report.value(dryRun), () => report.text(dryRun));
  if (report.hasRefused) process.exitCode = exitCodes.findings;
}

class RecipientImport {
  private readonly batches: RecipientBatches;
  private readonly seen: SeenRecipients;

  constructor(
    { batches, seen }: { batches: RecipientBatches; seen: SeenRecipients },
    private readonly report: ImportReport,
    private readonly options: ImportRecipientsRun,
  ) {
    this.batches = batches;
    this.seen = seen;
  }

  async run(file: string): Promise<void> {
    const source = createReadStream(file);
    const progress = this.showProgress(source, statSync(file).size);
    try {
      for await (const row of readRows(source, /\.csv$/i.test(file))) {
        if (this.batches.failure) break;
        this.report.rows += 1;
        // Stops after the batches that are being sent, which have earlier lines.
        await this.take(row).catch((error: unknown) => this.batches.fail(error, row.line));
      }
      await this.batches.end();
    } finally {
      progress.end();
    }
    const { failure } = this.batches;
    if (failure) throw stopped(failure, this.report, !this.options.yes);
  }

  private showProgress(source: ReadStream, size: number): { end: () => void } {
    const line = new ProgressLine();
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const seconds = (performance.now() - startedAt) / 1_000;
      line.show(this.report.progress(seconds, size === 0 ? 1 : source.bytesRead / size));
    }, PROGRESS_EVERY_MS);
    const end = (): void => {
      clearInterval(timer);
      line.end();
    };
    return { end };
  }

  private async take(row: Row): Promise<void> {
    const { line } = row;
    if ('fault' in row) {
      this.report.refuse({ line, reason: row.fault });
      return;
    }
    const recipient = this.mapped(row.value, line);
    if (!recipient) return;
    const { id, profile, choices, devices, notImported } = recipient;
    // Such as a preference set of a tenant. To send its id alone would create the recipient.
    if (!profile && !choices && devices.length === 0) {
      this.report.leaveOut(notImported);
      this.report.done('unchanged');
      return;
    }
    const parts = (profile ? PROFILE : 0) | (choices ? PREFERENCES : 0);
    let earlier = this.seen.note(id, parts);
    // The earlier row may yet be refused.
    if (earlier & parts) {
      await this.batches.settle(id);
      earlier = this.seen.note(id, parts);
    }
    // Of two rows with the same content for a recipient the first one counts.
    if (earlier & parts) this.report.refuse({ line, id, reason: repeatedReason(earlier & parts) });
    else await this.batches.add({ line, recipient, parts, isLater: earlier !== 0 });
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
}

/** `parts` are those of SeenRecipients that both rows have. */
function repeatedReason(parts: number): string {
  const names = [...(parts & PROFILE ? ['profile'] : []), ...(parts & PREFERENCES ? ['preferences'] : [])];
  return `an earlier row already has the ${names.join(' and the ')} of this recipient`;
}

function stopped({ error, line }: { error: unknown; line: number }, report: ImportReport, dryRun: boolean): unknown {
  if (!(error instanceof CommandError)) return error;
  const hint = dryRun
    ? `Stopped at line ${line}. Nothing was written.`
    : `Stopped at line ${line} (${count(report.rows, 'row')} read). Correct this, then run the same command again; ` +
      `rows that are stored count as unchanged.\n${report.counts(dryRun)}`;
  return new CommandError(`${error.message}\n${hint}`, error.exitCode, { ...error.details, line });
}
