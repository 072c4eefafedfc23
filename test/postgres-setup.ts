// The server of the projects that test another version of PostgreSQL. test/global-setup.ts runs too, once for all projects.

import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startServer, startTestServer } from '#testing';
import { fetchPostgres } from '../services/postgres.ts';
import './profiles.ts';

/** Carillon refuses to migrate an older one. */
const OLDEST_VERSION = 15;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const version = project.getProvidedContext().postgresVersion!;
  const folder = await fetchPostgres(join(import.meta.dirname, '../.services'), version);
  const server = version < OLDEST_VERSION ? await startServer(folder) : await startTestServer(folder);
  project.provide('postgresUrl', server.url('postgres'));
  console.log(`PostgreSQL ${version}`);
  return () => server.stop();
}
