import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** From the nearest package.json above this file, because sources and build output are at different depths. */
const found = find(import.meta.dirname);

export const version = found.file.version;
/** The oldest Node that can run the product, like `22.19`. */
export const oldestNode = found.file.engines.node.replace('>=', '');

/** The output of Vite for the console. */
export const CONSOLE_DIRECTORY = join(found.directory, 'dist/apps/console');

interface PackageFile {
  version: string;
  engines: { node: string };
}

function find(directory: string): { directory: string; file: PackageFile } {
  try {
    return { directory, file: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageFile };
  } catch (error) {
    if (directory === dirname(directory)) throw error;
    return find(dirname(directory));
  }
}
