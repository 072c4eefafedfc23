import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LocalSecrets {
  /** Hexadecimal, 32 bytes. */
  masterKey: string;
  adminToken: string;
}

export function secretsFile(home: string): string {
  return join(home, 'secrets.json');
}

/**
 * The secrets of this machine, generated at the first start and kept in `secrets.json`, readable only by its owner. If
 * two processes start together, both use the same secrets: each writes a temporary file and links it to the name, which
 * succeeds once.
 */
export function localSecrets(home: string): LocalSecrets {
  mkdirSync(home, { recursive: true });
  const file = secretsFile(home);
  const found = read(file);
  if (found) return found;

  const temporary = `${file}.${process.pid}`;
  const generated: LocalSecrets = {
    masterKey: randomBytes(32).toString('hex'),
    adminToken: `adm_${randomBytes(30).toString('base64url')}`,
  };
  writeFileSync(temporary, `${JSON.stringify(generated, null, 2)}\n`, { mode: 0o600 });
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary);
  }
  return read(file)!;
}

function read(file: string): LocalSecrets | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LocalSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(
      `${file} cannot be read. It contains the master key that encrypts your provider credentials. ` +
        'Restore the file, or delete CARILLON_HOME to start with an empty database.',
      { cause: error },
    );
  }
}
