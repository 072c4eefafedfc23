import { existsSync } from 'node:fs';
import type { ApiClient } from '../api/api-client.js';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { CommandError, exitCodes } from '../exit-codes.js';
import { type JsonOption, ProgressLine, printResult } from '../output.js';
import { type Difference, differenceOf } from './differences.js';
import { readTemplates, type TemplateSource, templateName, writeTemplate } from './template-files.js';

export interface TemplatesRun extends ConnectionOptions, JsonOption {
  dryRun?: boolean;
}

export interface Failure {
  name: string;
  message: string;
}

export interface StoredTemplate extends TemplateSource {
  id: string;
}

const TEMPLATES = '/api/v1/templates';
/** Partials and layouts come before the templates that may include them. */
const KIND_ORDER = ['partial', 'layout', 'template'];

export async function pullTemplates(folder: string, options: TemplatesRun): Promise<void> {
  const client = await connect(options, 'api-key');
  const stored = await storedTemplates(client);
  const files = existsSync(folder) ? readTemplates(folder) : new Map<string, TemplateSource>();
  const differences: Difference[] = [];
  for (const [name, { id: _id, ...source }] of stored) {
    const difference = differenceOf(name, files.get(name), source);
    if (!difference) continue;
    differences.push(difference);
    if (!options.dryRun) writeTemplate(folder, source);
  }
  const onlyInFolder = [...files.keys()].filter((name) => !stored.has(name));
  report(options, { differences, failures: [], unmatched: onlyInFolder, where: 'Only in the folder' });
}

export async function pushTemplates(folder: string, options: TemplatesRun): Promise<void> {
  const files = readTemplates(folder);
  const client = await connect(options, 'api-key');
  const stored = await storedTemplates(client);
  const { differences, failures } = await pushSources(client, stored, { files, dryRun: options.dryRun ?? false });
  const unmatched = [...stored.keys()].filter((name) => !files.has(name));
  report(options, { differences, failures, unmatched, where: 'Only in Carillon' });
  if (failures.length > 0) process.exitCode = exitCodes.findings;
}

/** Creates and changes the templates that differ from `stored`; with `dryRun` it only compares. */
export async function pushSources(
  client: ApiClient,
  stored: ReadonlyMap<string, StoredTemplate>,
  { files, dryRun }: { files: ReadonlyMap<string, TemplateSource>; dryRun: boolean },
): Promise<{ differences: Difference[]; failures: Failure[] }> {
  const changes = [...files].flatMap(([name, source]) => {
    const found = stored.get(name);
    const { id, ...before } = found ?? { id: undefined };
    const difference = differenceOf(name, found && (before as TemplateSource), source);
    return difference ? [{ difference, source, id }] : [];
  });
  const failures = dryRun ? [] : await pushEach(client, changes);
  const failed = new Set(failures.map(({ name }) => name));
  return { differences: changes.map(({ difference }) => difference).filter(({ name }) => !failed.has(name)), failures };
}

interface Change {
  difference: Difference;
  source: TemplateSource;
  id: string | undefined;
}

/**
 * Partials first, then layouts, then templates. Partials may include each other, so refused ones are tried again as
 * long as others succeed.
 */
async function pushEach(client: ApiClient, changes: readonly Change[]): Promise<Failure[]> {
  const orderOf = ({ source }: Change): number => KIND_ORDER.indexOf(source.kind);
  let left = [...changes].sort((one, other) => orderOf(one) - orderOf(other));
  const progress = new ProgressLine();
  for (;;) {
    const refused: (Failure & { change: Change })[] = [];
    for (const change of left) {
      progress.show(`pushing ${change.difference.name}`);
      const message = await push(client, change);
      if (message !== null) refused.push({ name: change.difference.name, message, change });
    }
    progress.end();
    if (refused.length === 0 || refused.length === left.length)
      return refused.map(({ name, message }) => ({ name, message }));
    left = refused.map(({ change }) => change);
  }
}

/** Returns why the API refused the template; null if it took it. */
async function push(client: ApiClient, { source, id }: Change): Promise<string | null> {
  try {
    if (id === undefined) await client.request('POST', TEMPLATES, { body: source });
    else await client.request('PUT', `${TEMPLATES}/${id}`, { body: source });
    return null;
  } catch (error) {
    const isOwnFault =
      error instanceof CommandError &&
      error.exitCode === exitCodes.refused &&
      !['unauthenticated', 'forbidden'].includes(String(error.details['code']));
    if (!isOwnFault) throw error;
    return error.message;
  }
}

/** The templates of the tenant, by name, without those of the platform. */
export async function storedTemplates(client: ApiClient): Promise<Map<string, StoredTemplate>> {
  const found = new Map<string, StoredTemplate>();
  for await (const one of client.list<StoredTemplate>(TEMPLATES, {})) {
    const { id, key, channel, locale, kind, content, sample_payload, payload_schema, layout } = one;
    const source = { id, key, channel, locale, kind, content, sample_payload, payload_schema, layout };
    found.set(templateName(source), source);
  }
  return found;
}

interface Report {
  differences: Difference[];
  failures: Failure[];
  unmatched: string[];
  where: string;
}

export function report(options: TemplatesRun, { differences, failures, unmatched, where }: Report): void {
  const value = { dry_run: options.dryRun ?? false, differences, failures, unmatched };
  printResult(options, value, () => {
    const of = (change: Difference['change']): number => differences.filter((one) => one.change === change).length;
    const verb = options.dryRun ? 'would be created' : 'created';
    return [
      ...differences.map(({ diff }) => diff),
      ...failures.map(({ name, message }) => `Refused: ${name}: ${message}`),
      ...(unmatched.length > 0 ? [`${where}: ${unmatched.join(', ')}`] : []),
      `Templates: ${of('created')} ${verb}, ${of('changed')} changed, ${failures.length} refused.`,
    ].join('\n');
  });
}
