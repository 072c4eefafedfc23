import { loadConfig } from '#config';
import { countSealed, Database, rewrapSecrets, type SealedCount, SecretBox } from '#database';
import { exitCodes } from './command-line/exit-codes.js';
import { count, type JsonOption, ProgressLine, printNote, printResult } from './command-line/output.js';

const number = new Intl.NumberFormat('en-US');

/** `carillon rewrap`. docs/secrets.md explains the rotation of MASTER_KEY. */
export async function rewrapDatabase(options: JsonOption & { dryRun?: boolean }): Promise<void> {
  const config = loadConfig();
  const box = new SecretBox(config.masterKey, config.previousMasterKeys);
  const database = new Database({
    url: config.databaseUrl,
    logins: config.databaseLogins,
    poolSize: 1,
    applicationName: 'carillon-rewrap',
    onIdleError: (error) => printNote(`A database connection was lost: ${error.message}`),
  });
  try {
    if (options.dryRun) await countAll(database, box, options);
    else await rewrap(database, box, options);
  } finally {
    await database.close();
  }
}

async function countAll(database: Database, box: SecretBox, options: JsonOption): Promise<void> {
  const counts = await countSealed(database);
  const value = { dry_run: true, key_id: box.keyId, left: left(counts, box), counts: counts.map(toView) };
  printResult(options, value, () =>
    [
      ...counts.map(
        ({ column, keyId, count: found }) =>
          `${column}: ${secrets(found)} under master key ${keyId}${keyId === box.keyId ? ' (current)' : ''}`,
      ),
      `A run would re-wrap ${secrets(left(counts, box))}. Nothing was changed.`,
    ].join('\n'),
  );
}

async function rewrap(database: Database, box: SecretBox, options: JsonOption): Promise<void> {
  const line = new ProgressLine();
  const { rewrapped, failed, failures, counts } = await rewrapSecrets(database, box, ({ done, total, column }) =>
    line.show(`${number.format(done)} of ${number.format(total)}, now ${column}`),
  );
  line.end();
  for (const failure of failures) printNote(`Not re-wrapped: ${failure}`);
  if (failed > failures.length) printNote(`Not re-wrapped: ${secrets(failed - failures.length)} more.`);
  const leftOver = left(counts, box);
  const value = { dry_run: false, key_id: box.keyId, rewrapped, failed, left: leftOver, counts: counts.map(toView) };
  printResult(options, value, () => {
    const done =
      leftOver === 0 ? '\nAll secrets are under the current master key. MASTER_KEY_PREVIOUS can be removed.' : '';
    return `Re-wrapped ${secrets(rewrapped)} under master key ${box.keyId}.${done}`;
  });
  if (leftOver === 0) return;
  printNote(
    `${secrets(leftOver)} are under another master key: keep MASTER_KEY_PREVIOUS. ` +
      (failed > 0
        ? 'Add the master keys named above to MASTER_KEY_PREVIOUS and run this command again.'
        : 'Processes that still run with an earlier MASTER_KEY added them. Restart those, then run this again.'),
  );
  process.exitCode = exitCodes.failed;
}

function left(counts: readonly SealedCount[], box: SecretBox): number {
  return counts.reduce((sum, { keyId, count: found }) => sum + (keyId === box.keyId ? 0 : found), 0);
}

function toView({ column, keyId, count: found }: SealedCount) {
  return { column, key_id: keyId, count: found };
}

function secrets(found: number): string {
  return count(found, 'secret');
}
