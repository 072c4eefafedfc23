// npm run rewrap               seals all secrets in the database under the current MASTER_KEY
// npm run rewrap -- --dry-run  only counts them
//
// docs/secrets.md explains the rotation of MASTER_KEY.

import { ConfigError, loadConfig } from '#config';
import { countSealed, Database, type RewrapProgress, rewrapSecrets, type SealedCount, SecretBox } from '#database';

const PROGRESS_MS = 1_000;

const number = new Intl.NumberFormat('en-US');

async function run(): Promise<number> {
  const config = loadConfig();
  const box = new SecretBox(config.masterKey, config.previousMasterKeys);
  const database = new Database({
    url: config.databaseUrl,
    logins: config.databaseLogins,
    poolSize: 1,
    applicationName: 'carillon-rewrap',
    onIdleError: (error) => console.error(`A database connection was lost: ${error.message}`),
  });
  try {
    return process.argv.includes('--dry-run') ? await count(database, box) : await rewrap(database, box);
  } finally {
    await database.close();
  }
}

async function count(database: Database, box: SecretBox): Promise<number> {
  const counts = await countSealed(database);
  for (const { column, keyId, count } of counts)
    console.log(`${column}: ${secrets(count)} under master key ${keyId}${keyId === box.keyId ? ' (current)' : ''}`);
  console.log(`A run would re-wrap ${secrets(left(counts, box))}. Nothing was changed.`);
  return 0;
}

async function rewrap(database: Database, box: SecretBox): Promise<number> {
  let progress: RewrapProgress | undefined;
  const timer = setInterval(() => {
    if (progress)
      console.log(`${number.format(progress.done)} of ${number.format(progress.total)}, now ${progress.column}`);
  }, PROGRESS_MS);
  try {
    const { rewrapped, failed, failures, counts } = await rewrapSecrets(database, box, (latest) => {
      progress = latest;
    });
    console.log(`Re-wrapped ${secrets(rewrapped)} under master key ${box.keyId}.`);
    for (const failure of failures) console.error(`Not re-wrapped: ${failure}`);
    if (failed > failures.length) console.error(`Not re-wrapped: ${secrets(failed - failures.length)} more.`);
    return report(left(counts, box), failed);
  } finally {
    clearInterval(timer);
  }
}

/** Returns the exit code: 0 if the previous master keys are not needed any more. */
function report(leftOver: number, failed: number): number {
  if (leftOver === 0) {
    console.log('All secrets are under the current master key. MASTER_KEY_PREVIOUS can be removed.');
    return 0;
  }
  console.error(
    `${secrets(leftOver)} are under another master key: keep MASTER_KEY_PREVIOUS. ` +
      (failed > 0
        ? 'Add the master keys named above to MASTER_KEY_PREVIOUS and run this command again.'
        : 'Processes that still run with an earlier MASTER_KEY added them. Restart those, then run this again.'),
  );
  return 1;
}

function left(counts: readonly SealedCount[], box: SecretBox): number {
  return counts.reduce((sum, { keyId, count: found }) => sum + (keyId === box.keyId ? 0 : found), 0);
}

function secrets(count: number): string {
  return count === 1 ? '1 secret' : `${number.format(count)} secrets`;
}

try {
  process.exitCode = await run();
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
