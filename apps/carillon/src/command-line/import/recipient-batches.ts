// Sends rows to the API in batches, some at the same time: a request for each row takes hours for a million.

import type { ApiClient } from '../api/api-client.js';
import { CommandError } from '../exit-codes.js';
import type { ImportReport, Result } from './import-report.js';
import type { ImportedRecipient } from './imported-recipient.js';
import type { SeenRecipients } from './seen-recipients.js';

/** Batches that are sent at the same time. */
const CONCURRENCY = 4;
const BATCH_ROWS = 200;
/** Characters of JSON. A row may have more. */
const BATCH_LENGTH = 1_000_000;
/** Rows one after the other that the server cannot store although they are valid: then it is the server's fault. */
const MAX_SERVER_ERRORS = 20;

interface ImportedRow {
  line: number;
  recipient: ImportedRecipient;
  /** Of SeenRecipients. */
  parts: number;
  /** An earlier row has created the recipient, or would have. */
  isLater: boolean;
}

interface Failure {
  error: unknown;
  /** The first line that is not known to be written. */
  line: number;
}

interface MergeAnswer {
  accepted: { index: number; result: Result }[];
  rejected: { index: number; errors: { pointer: string; message: string }[] }[];
}

export class RecipientBatches {
  failure: Failure | null = null;
  private rows: ImportedRow[] = [];
  private length = 0;
  /** Rows with a 500 since the last success. */
  private serverErrors = 0;
  /** Batches that are being sent, by recipient: a later row of the same one waits for it. */
  private readonly running = new Map<string, Promise<void>>();
  private readonly batches = new Set<Promise<void>>();

  constructor(
    private readonly client: ApiClient,
    private readonly report: ImportReport,
    private readonly seen: SeenRecipients,
    private readonly path: string,
  ) {}

  /** Waits while enough batches are being sent, so that few rows are in memory. */
  async add(row: ImportedRow): Promise<void> {
    const { id } = row.recipient;
    await this.running.get(id);
    this.rows.push(row);
    this.length += JSON.stringify(itemOf(row)).length;
    if (this.rows.length >= BATCH_ROWS || this.length >= BATCH_LENGTH) await this.begin();
  }

  /** Waits until earlier rows of the recipient are written or refused. */
  async settle(id: string): Promise<void> {
    if (this.rows.some(({ recipient }) => recipient.id === id)) await this.begin();
    await this.running.get(id);
  }

  async end(): Promise<void> {
    if (this.rows.length > 0) await this.begin();
    await Promise.all(this.batches);
  }

  /** Keeps the error that came first in time, with the first line of the file that may not be written. */
  fail(error: unknown, line: number): void {
    this.failure ??= { error, line };
    this.failure.line = Math.min(this.failure.line, line);
  }

  private async begin(): Promise<void> {
    while (this.batches.size >= CONCURRENCY) await Promise.race(this.batches);
    const rows = this.rows;
    this.rows = [];
    this.length = 0;
    const ids = new Set(rows.map(({ recipient }) => recipient.id));
    const batch = this.send(rows)
      // Such as a file of refused rows that cannot be written.
      .catch((error: unknown) => this.fail(error, rows[0]!.line))
      .finally(() => {
        this.batches.delete(batch);
        for (const id of ids) this.running.delete(id);
      });
    this.batches.add(batch);
    for (const id of ids) this.running.set(id, batch);
  }

  /**
   * Halves a batch that is refused as a whole, such as for a row that is too deep, until that row is alone. Also after
   * a 500: one row that the server cannot store would stop every run of the import at the same place.
   */
  private async send(rows: readonly ImportedRow[]): Promise<void> {
    // The lines that are not sent for it may come before the line that failed.
    if (this.failure) return this.fail(this.failure.error, rows[0]!.line);
    try {
      const body = { recipients: rows.map(itemOf) };
      this.take(rows, await this.client.request('POST', this.path, { body, isRepeatable: true }));
    } catch (error) {
      const status = error instanceof CommandError ? Number(error.details['status']) : 0;
      if (status === 500 && rows.length === 1) this.serverErrors += 1;
      const isRefused = error instanceof CommandError && [400, 413, 422, 500].includes(status);
      if (!isRefused || this.serverErrors > MAX_SERVER_ERRORS) this.fail(error, rows[0]!.line);
      else if (rows.length === 1) this.refuse(rows[0]!, error.message);
      else {
        const half = Math.ceil(rows.length / 2);
        await this.send(rows.slice(0, half));
        await this.send(rows.slice(half));
      }
    }
  }

  private take(rows: readonly ImportedRow[], { accepted, rejected }: MergeAnswer): void {
    this.serverErrors = 0;
    for (const { index, result } of accepted) {
      const { recipient, isLater } = rows[index]!;
      this.report.done(result === 'created' && isLater ? 'changed' : result);
      this.report.leaveOut(recipient.notImported);
    }
    for (const { index, errors } of rejected) {
      const messages = errors.map(({ pointer, message }) => `${pointer} ${message}`);
      this.refuse(rows[index]!, `Validation failed: ${messages.join('; ')}`);
    }
  }

  private refuse({ line, recipient: { id }, parts }: ImportedRow, reason: string): void {
    this.report.refuse({ line, id, reason });
    this.seen.forget(id, parts);
  }
}

/** An item of POST /api/v1/recipients/bulk. */
function itemOf({ recipient: { id, profile, choices, devices } }: ImportedRow): object {
  return { id, ...profile, ...(choices && { preferences: choices }), ...(devices.length > 0 && { devices }) };
}
