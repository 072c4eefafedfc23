import { LRUCache } from 'lru-cache';
import { isSmallPayload } from '../payload.ts';
import type { ContentFault, Job, JobResult } from '../render-job.ts';
import { TemplateFault } from '../template-fault.ts';
import { evaluateSchema, type PayloadFault, TooManySteps } from './evaluate-schema.ts';
import { readSchema } from './read-schema.ts';
import type { SchemaNode } from './schema-node.ts';

/** Steps of a check on the event loop, which take about a millisecond. */
const MAX_INLINE_STEPS = 20_000;
const MAX_CACHED = 1_000;

/** Checks payloads against the schemas of templates: on the event loop if it is quick, otherwise in a render thread. */
export class PayloadChecks {
  private readonly schemas = new LRUCache<string, SchemaNode>({ max: MAX_CACHED });
  private readonly inThread: (tenantId: string, job: Job) => Promise<JobResult>;
  /** The steps until the next pause, so that the checks of one bulk send do not block the event loop together. */
  private budget = { steps: MAX_INLINE_STEPS };

  constructor(inThread: (tenantId: string, job: Job) => Promise<JobResult>) {
    this.inThread = inThread;
  }

  /** Returns all faults of a schema; pointers are within the schema. */
  schemaFaults(schema: object): ContentFault[] {
    return readSchema(schema).faults;
  }

  /**
   * Returns the faults of a payload by every schema, given as JSON; each fault once. Throws `RendererBusy`.
   */
  async faults(tenantId: string, schemas: readonly string[], payload: object): Promise<PayloadFault[]> {
    if (this.budget.steps < MAX_INLINE_STEPS / 2) {
      await new Promise((resolve) => setImmediate(resolve));
      this.budget = { steps: MAX_INLINE_STEPS };
    }
    try {
      return distinct(schemas.flatMap((text) => evaluateSchema(this.read(text), payload, this.budget)));
    } catch (error) {
      if (!(error instanceof TooManySteps)) throw error;
    }
    return distinct(await this.threadFaults(tenantId, schemas, payload));
  }

  /** Whether a payload may be shared by the recipients of a bulk send, each of which is checked together with it. */
  isShareable(payload: object): boolean {
    return isSmallPayload(payload);
  }

  private async threadFaults(tenantId: string, schemas: readonly string[], payload: object): Promise<PayloadFault[]> {
    try {
      const result = await this.inThread(tenantId, { kind: 'validate', schemas, payload: JSON.stringify(payload) });
      if (result.kind !== 'validated') throw new Error(`a render thread returned ${result.kind}`);
      return result.faults;
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      return [{ pointer: '', code: 'payload_schema', message: `cannot be checked: ${error.message}` }];
    }
  }

  private read(text: string): SchemaNode {
    let schema = this.schemas.get(text);
    if (schema === undefined) {
      schema = readSchema(JSON.parse(text) as object).schema;
      this.schemas.set(text, schema);
    }
    return schema;
  }
}

function distinct(faults: readonly PayloadFault[]): PayloadFault[] {
  if (faults.length === 0) return [];
  const unique = new Map(faults.map((fault) => [`${fault.pointer} ${fault.message}`, fault]));
  return [...unique.values()];
}
