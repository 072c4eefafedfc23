// The entry point of a render thread. Node loads this file directly (from dist, or as TypeScript in tests), so this
// file and those it imports use file extensions and import only types from other libs.

import { parentPort } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { FieldKind } from '#domain';
import { checkFields } from './check-fields.ts';
import { allSourcesOf, Composed, type FieldRules, renderFields } from './fields.ts';
import { checkDepth, Root } from './payload.ts';
import { evaluateSchema, type PayloadFault, TooManySteps } from './payload-schema/evaluate-schema.ts';
import { readSchema } from './payload-schema/read-schema.ts';
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
/** Steps of the check of a payload, which take about 100 ms. */
const MAX_CHECK_STEPS = 2_000_000;

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

function validate(texts: readonly string[], json: string): PayloadFault[] {
  const payload = JSON.parse(json) as object;
  const budget = { steps: MAX_CHECK_STEPS };
  try {
    return texts.flatMap((text) => evaluateSchema(readSchema(JSON.parse(text) as object).schema, payload, budget));
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
    throw new TemplateFault(`the check takes more than ${MAX_CHECK_STEPS} steps`);
  }
}

function learned(rules: FieldRules, composed: Composed): LearnedProgram[] {
  return allSourcesOf(rules, composed).map(({ text: source, kind }) => {
    const program = programs.get(source, kind);
    return { source, kind, program: program && program.size <= MAX_LEARNED_NODES ? program : 'large' };
  });
}

function run(job: Job): JobResult {
  try {
    if (job.kind === 'validate') return { kind: 'validated', faults: validate(job.schemas, job.payload) };
    const find = programOf(job.rules);
    if (job.kind === 'check') return { kind: 'checked', ...checkFields(job.rules, job.content, find) };
    const root = new Root(job.layers.map((layer) => (typeof layer === 'string' ? parse(layer) : parseShared(layer))));
    const composed = new Composed(job.content, job.includes);
    const message = renderFields(job.rules, composed, root, { inline: false, programOf: find });
    return { kind: 'rendered', message, learned: job.learn ? learned(job.rules, composed) : [] };
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    return { kind: 'fault', message: error.message };
  }
}

parentPort!.on('message', (job: Job) => send(run(job)));
send(null);
