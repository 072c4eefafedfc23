// Stores outcomes on disk that could not be recorded before the lease ended or the worker stopped. Each outcome is
// one file, complete or absent, and fenced by its claim, so any worker that shares the directory may record it.

import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ClaimedDelivery, type DeliveriesStore, isUnavailable } from '#database';
import type { Outcome } from '#domain';
import { deliveryFields, instruments, type Logger } from '#telemetry';
import { recordOutcome } from './record-outcome.js';

interface Entry {
  delivery: ClaimedDelivery;
  outcome: Outcome;
}

/** Mode of directories. An outcome may contain a vendor's text about a recipient. */
const OWNER_ONLY = 0o700;
const COMPLETE = '.json';
const PARTIAL = '.tmp';
/** A partial file this old belongs to a process that died while writing. `append` never resolved for it. */
const ABANDONED_MS = 60_000;
/** The subdirectory of files that cannot be recorded. An operator inspects and deletes them. */
const ASIDE = 'unreadable';
/** Files that are read and recorded concurrently. */
const BATCH = 500;

export class OutcomeSpool {
  /** One replay at a time. */
  private replaying: Promise<number> | undefined;

  constructor(
    private readonly directory: string,
    private readonly deliveries: DeliveriesStore,
    private readonly logger: Logger,
  ) {}

  /** Durable when it resolves: the file and its directory entry are flushed to disk. */
  async append(delivery: ClaimedDelivery, outcome: Outcome): Promise<void> {
    if ((await mkdir(this.directory, { recursive: true, mode: OWNER_ONLY })) !== undefined)
      await flushDirectory(dirname(this.directory));
    const file = join(this.directory, `${delivery.deliveryId}.${delivery.claimId}${COMPLETE}`);
    const partial = `${file}.${randomUUID()}${PARTIAL}`;
    const handle = await open(partial, 'wx', 0o600);
    try {
      await handle.writeFile(JSON.stringify({ delivery, outcome } satisfies Entry));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
    await flushDirectory(this.directory);
  }

  /**
   * Records and removes all spooled outcomes. Returns how many were recorded. Throws during an outage of the
   * database; the files then stay. A file that cannot be read or recorded is moved aside and reported; the others
   * continue.
   */
  async replay(): Promise<number> {
    this.replaying ??= this.replayAll().finally(() => {
      this.replaying = undefined;
    });
    return await this.replaying;
  }

  /** Outcomes that are not recorded yet. */
  async size(): Promise<number> {
    const names = await readdir(this.directory).catch(() => [] as string[]);
    return names.filter((name) => name.endsWith(COMPLETE)).length;
  }

  private async replayAll(): Promise<number> {
    const names = await readdir(this.directory).catch(() => [] as string[]);
    for (const name of names.filter((name) => name.endsWith(PARTIAL))) await this.checkPartial(name);
    const complete = names.filter((name) => name.endsWith(COMPLETE));
    let recorded = 0;
    for (let at = 0; at < complete.length; at += BATCH) {
      const results = await Promise.allSettled(complete.slice(at, at + BATCH).map((name) => this.replayOne(name)));
      for (const result of results) {
        if (result.status === 'rejected') throw result.reason;
        if (result.value) recorded += 1;
      }
    }
    return recorded;
  }

  private async replayOne(name: string): Promise<boolean> {
    const file = join(this.directory, name);
    try {
      const text = await readFile(file, 'utf8').catch(ifMissing);
      // Another worker has recorded it.
      if (text === null) return false;
      const { delivery, outcome } = parse(text);
      const recorded = await recordOutcome(this.deliveries, delivery, outcome, this.logger);
      await rm(file, { force: true });
      if (!recorded)
        this.logger.warn(
          { ...deliveryFields(delivery), outcome: outcome.kind },
          'dropping a spooled outcome: it is already recorded, or the claim was lost',
        );
      return recorded;
    } catch (error) {
      // An outage stops the replay. Any other error concerns this file alone.
      if (isUnavailable(error)) throw error;
      await this.moveAside(name, reasonOf(error));
      return false;
    }
  }

  private async checkPartial(name: string): Promise<void> {
    const found = await stat(join(this.directory, name)).catch(() => null);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS)
      await this.moveAside(name, 'the process died while it was written');
  }

  private async moveAside(name: string, why: string): Promise<void> {
    const aside = join(this.directory, ASIDE);
    try {
      await mkdir(aside, { recursive: true, mode: OWNER_ONLY });
      await rename(join(this.directory, name), join(aside, name));
      instruments().spoolUnreadable.add(1);
      this.logger.error(
        { file: join(aside, name), why },
        'a spooled outcome cannot be recorded; its file was moved aside',
      );
    } catch (error) {
      this.logger.error(
        { err: error, file: name, why },
        'a spooled outcome cannot be recorded, and moving its file aside failed',
      );
    }
  }
}

/** Throws SyntaxError for a file that {@link OutcomeSpool.append} has not written. */
function parse(text: string): Entry {
  const { delivery, outcome } = JSON.parse(text) as Partial<Entry>;
  const ids = [delivery?.tenantId, delivery?.deliveryId, delivery?.claimId, delivery?.channel, outcome?.kind];
  if (ids.some((id) => typeof id !== 'string')) throw new SyntaxError('it is not an outcome');
  return { delivery: delivery!, outcome: outcome! };
}

/** Leaves out error messages: they may quote the file or the row. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not an outcome';
  const { name, code } = error as Error & { code?: string };
  return code ? `${name} ${code}` : name;
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code !== 'ENOENT') throw error;
  return null;
}

/** A new directory entry is durable only after a flush of the directory. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
