import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** From the nearest package.json above this file, because sources and build output are at different depths. */
const found = find(import.meta.dirname);

export const version = found.version;
/** The oldest Node that can run the product, like `22.19`. */
export const oldestNode = found.engines.node.replace('>=', '');

interface PackageFile {
  version: string;
  engines: { node: string };
}

function find(directory: string): PackageFile {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageFile;
  } catch (error) {
    if (directory === dirname(directory)) throw error;
    return find(dirname(directory));
  }
}
