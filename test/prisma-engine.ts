// Prisma's own schema engine, as WebAssembly: what `prisma migrate deploy` runs, where its binary can be downloaded.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');
const SCHEMA = join(import.meta.dirname, '../prisma/schema.prisma');

interface EngineModule {
  SchemaEngine: { new: (options: object, callback: () => void, adapter: object) => Promise<SchemaEngine> };
  __wbg_set_wasm(exports: object): void;
}

let loaded: Promise<EngineModule> | undefined;

// The types of WebAssembly are the browser's (lib "dom"); these three lines are all that is used of it here.
declare const WebAssembly: {
  instantiate(bytes: Buffer, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** One instance per process: a second one would invalidate the first one's memory. */
async function load(): Promise<EngineModule> {
  const directory = dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm'));
  const module = (await import(/* @vite-ignore */ join(directory, 'schema_engine_bg.js'))) as EngineModule;
  const { instance } = await WebAssembly.instantiate(readFileSync(join(directory, 'schema_engine_bg.wasm')), {
    './schema_engine_bg.js': module,
  });
  module.__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
  return module;
}

/** The adapter splits a script at every semicolon, even inside functions. The engine's binary sends it whole, as this does. */
class WholeScripts extends PrismaPg {
  override async connect() {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => void (await adapter.underlyingDriver().query(script));
    return adapter;
  }
}

async function engineFor(url: string): Promise<SchemaEngine> {
  loaded ??= load();
  const { SchemaEngine: Engine } = await loaded;
  return await Engine.new(
    { datamodels: [['schema.prisma', readFileSync(SCHEMA, 'utf8')]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(new WholeScripts({ connectionString: url })),
  );
}

function migrationsList() {
  return {
    baseDir: MIGRATIONS,
    lockfile: { path: 'migration_lock.toml', content: readFileSync(join(MIGRATIONS, 'migration_lock.toml'), 'utf8') },
    shadowDbInitScript: '',
    migrationDirectories: readdirSync(MIGRATIONS, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: readFileSync(join(MIGRATIONS, name, 'migration.sql'), 'utf8') },
        },
      })),
  };
}

/** Applies the missing migrations, as `prisma migrate deploy` does, and returns their names. */
export async function prismaMigrateDeploy(url: string): Promise<string[]> {
  const engine = await engineFor(url);
  const { appliedMigrationNames } = await engine.applyMigrations({
    migrationsList: migrationsList(),
    filters: { externalTables: [], externalEnums: [] },
  });
  return appliedMigrationNames;
}
