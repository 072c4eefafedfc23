import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LocalSecrets {
  /** Hexadecimal, 32 bytes. */
  masterKey: string;
  adminToken: string;
}

/**
 * The secrets of this machine, made at the first start and kept in `secrets.json` (readable by its owner only). Two
 * processes that start together agree: the file is written aside and linked into place, which only one can do.
 */
export function localSecrets(home: string): LocalSecrets {
  mkdirSync(home, { recursive: true });
  const file = join(home, 'secrets.json');
  const found = read(file);
  if (found) return found;

  const mine = `${file}.${process.pid}`;
  const made: LocalSecrets = {
    masterKey: randomBytes(32).toString('hex'),
    adminToken: `adm_${randomBytes(30).toString('base64url')}`,
  };
  writeFileSync(mine, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
  try {
    linkSync(mine, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(mine);
  }
  return read(file)!;
}

function read(file: string): LocalSecrets | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LocalSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(
      `${file} cannot be read: it holds the master key that sealed your provider credentials; restore it or remove CARILLON_HOME to start afresh`,
      { cause: error },
    );
  }
}
