import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** From the nearest package.json above this file, because sources and build output are at different depths. */
export const version = find(import.meta.dirname);

function find(directory: string): string {
  try {
    return (JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }).version;
  } catch (error) {
    if (directory === dirname(directory)) throw error;
    return find(dirname(directory));
  }
}
