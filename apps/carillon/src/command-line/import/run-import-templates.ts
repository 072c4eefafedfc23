import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { exitCodes, usageError } from '../exit-codes.js';
import { ProgressLine } from '../output.js';
import { type Failure, pushSources, report, storedTemplates } from '../templates/run-templates.js';
import { type TemplateSource, templateName } from '../templates/template-files.js';
import { FileFault, readEmail } from './read-email.js';

const EXTENSIONS = ['.mjml', '.html', '.htm'];
const CHANNEL = 'email';

export interface ImportTemplatesRun extends ConnectionOptions {
  yes?: boolean;
  locale: string;
}

/** Creates templates from files, and new versions of those that differ. Leaves the fields that a file does not have. */
export async function importTemplates(paths: readonly string[], options: ImportTemplatesRun): Promise<void> {
  const found = paths.flatMap(emailFiles);
  if (found.length === 0) throw usageError(`There is no ${EXTENSIONS.join(', ')} file in ${paths.join(', ')}.`);
  const client = await connect(options, 'api-key');
  const stored = await storedTemplates(client);
  const files = new Map<string, TemplateSource>();
  const refused: Failure[] = [];
  const progress = new ProgressLine();
  for (const { path, folder } of found) {
    progress.show(`reading ${path}`);
    try {
      const { key, locale, subject, html } = await readEmail(path, folder, options.locale);
      const name = templateName({ key, channel: CHANNEL, locale });
      if (files.has(name)) throw new FileFault(`another file is ${name} too`);
      const before = stored.get(name);
      const { id: _id, ...kept } = before ?? { id: '', sample_payload: null, payload_schema: null, layout: null };
      const content = { ...before?.content, subject, html };
      files.set(name, { kind: 'template', ...kept, key, channel: CHANNEL, locale, content });
    } catch (error) {
      if (!(error instanceof FileFault)) throw error;
      refused.push({ name: path, message: error.message });
    }
  }
  progress.end();
  const dryRun = !options.yes;
  const { differences, failures } = await pushSources(client, stored, { files, dryRun });
  const all = [...refused, ...failures];
  report({ ...options, dryRun }, { differences, failures: all, unmatched: [], where: '' });
  if (all.length > 0) process.exitCode = exitCodes.findings;
}

interface FoundFile {
  path: string;
  /** MJML may include files of this folder: the one that was given, or that of a file. */
  folder: string;
}

function emailFiles(path: string): FoundFile[] {
  if (!existsSync(path)) throw usageError(`There is no file or folder ${path}.`);
  if (!statSync(path).isDirectory()) return [{ path, folder: dirname(path) }];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => EXTENSIONS.includes(extname(name)) && !isHidden(name))
    .sort()
    .map((name) => ({ path: join(path, name), folder: path }))
    .filter((file) => statSync(file.path).isFile());
}

/** Files that begin with _ are parts that others include. */
function isHidden(name: string): boolean {
  return name.split('/').some((part) => /^[._]/.test(part)) || name.split('/').includes('node_modules');
}
