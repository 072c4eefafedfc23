import type { TestProject } from 'vitest/node';
import { startTestServer } from '#testing';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer();
  project.provide('postgresUrl', server.url('postgres'));
  return () => server.stop();
}
