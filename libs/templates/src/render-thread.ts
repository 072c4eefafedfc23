// The entry point of a render thread. Node loads this file directly (from dist, or as TypeScript in tests), so this
// file and those it imports use file extensions and import only types from other libs.

import { parentPort } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { FieldKind } from '#domain';
import { checkFields } from './check-fields.ts';
import { type FieldRules, renderFields, sourcesOf } from './fields.ts';
import { checkDepth, Root } from './payload.ts';
import { type Program, parseProgram } from './program.ts';
import { ProgramCache } from './program-cache.ts';
import type { Job, JobResult, LearnedProgram, SharedLayer, ThreadMessage } from './render-job.ts';
import { TemplateFault } from './template-fault.ts';

/** Renders of programs with more nodes than this rarely fit into the steps of an inline render. */
const MAX_LEARNED_NODES = 1_000;
/** Bytes, for each thread. */
const MAX_CACHED_PROGRAMS = 4 * 1024 * 1024;
/** Bytes of JSON. The parsed objects take up to eight times as much. */
const MAX_CACHED_PAYLOADS = 8 * 1024 * 1024;

const programs = new ProgramCache(MAX_CACHED_PROGRAMS);
const payloads = new LRUCache<string, object>({ maxSize: MAX_CACHED_PAYLOADS, max: 100 });

function programOf(rules: FieldRules): (source: string, kind: FieldKind) => Program {
  return (source, kind) => {
    let program = programs.get(source, kind);
    if (!program) {
      program = parseProgram(source, { maxBytes: rules.maxSourceBytes, trustedHtml: kind === 'html' });
      programs.set(source, kind, program);
    }
    return program;
  };
}

function parseShared({ id, bytes }: SharedLayer): object {
  let payload = payloads.get(id);
  if (!payload) {
    payload = JSON.parse(Buffer.from(bytes).toString('utf8')) as object;
    checkDepth(payload);
    payloads.set(id, payload, { size: bytes.byteLength });
  }
  return payload;
}

function parse(json: string): object {
  const layer = JSON.parse(json) as object;
  checkDepth(layer);
  return layer;
}

function send(result: JobResult | null): void {
  // Node 23.9 and newer.
  const cpu = process.threadCpuUsage?.();
  const message: ThreadMessage = { cpuMs: cpu ? (cpu.user + cpu.system) / 1_000 : null, result };
  parentPort!.postMessage(message);
}

function learned({ rules, content }: Job): LearnedProgram[] {
  return sourcesOf(rules, content).map(({ text: source, kind }) => {
    const program = programs.get(source, kind);
    return { source, kind, program: program && program.size <= MAX_LEARNED_NODES ? program : 'large' };
  });
}

function run(job: Job): JobResult {
  const find = programOf(job.rules);
  try {
    if (job.kind === 'check') return { kind: 'checked', faults: checkFields(job.rules, job.content, find) };
    const root = new Root(job.layers.map((layer) => (typeof layer === 'string' ? parse(layer) : parseShared(layer))));
    const message = renderFields(job.rules, job.content, root, { inline: false, programOf: find });
    return { kind: 'rendered', message, learned: job.learn ? learned(job) : [] };
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    return { kind: 'fault', message: error.message };
  }
}

parentPort!.on('message', (job: Job) => send(run(job)));
send(null);
