import type { Channel, FieldKind } from '#domain';
import { TooLongInline } from './budget.ts';
import { checkFields } from './check-fields.ts';
import { countWords } from './check-source.ts';
import { allSourcesOf, Composed, type Content, type FieldRules, renderFields } from './fields.ts';
import { isSmallPayload, Root, SharedPayload } from './payload.ts';
import { PayloadChecks } from './payload-schema/payload-checks.ts';
import { type Program, parseProgram } from './program.ts';
import { ProgramCache } from './program-cache.ts';
import type { CheckedContent, Job, JobResult } from './render-job.ts';
import { type PoolOptions, RendererBusy, RenderPool } from './render-pool.ts';
import { TemplateFault } from './template-fault.ts';

/** Words of all new sources of a content that may be parsed on the event loop. They take about a millisecond. */
const MAX_INLINE_WORDS = 200;
/** Characters likewise. The parser takes up to 0.1 µs per character. */
const MAX_INLINE_SOURCE = 16 * 1024;

/** Bytes. */
const MAX_CACHED_PROGRAMS = 16 * 1024 * 1024;

/** Whether a content was checked or rendered on the event loop or in a thread, or why it was not. */
export type RenderEvent = 'inline' | 'thread' | 'time_out' | 'busy';

export interface RendererOptions extends Omit<PoolOptions, 'onTimeOut'> {
  onRender?: (event: RenderEvent) => void;
}

/** One layer of a payload. A later layer overrides the properties of an earlier one. */
export type PayloadLayer = object | SharedPayload;

/**
 * Checks and renders contents of templates: on the event loop if that is known to take less than a millisecond,
 * otherwise in a thread with a time and a memory limit (ADR 21).
 */
export class TemplateRenderer {
  /** Checks of payloads, which use the same threads. */
  readonly payloads = new PayloadChecks((tenantId, job) => this.inThread(tenantId, job));
  private readonly programs = new ProgramCache<Program | 'large'>(MAX_CACHED_PROGRAMS);
  private readonly pool: RenderPool;
  private readonly onRender: (event: RenderEvent) => void;

  constructor({ onRender = () => {}, ...options }: RendererOptions = {}) {
    this.onRender = onRender;
    this.pool = new RenderPool({ ...options, onTimeOut: () => onRender('time_out') });
  }

  /** Contents that wait for a thread. */
  get waiting(): number {
    return this.pool.waiting;
  }

  /**
   * Returns all errors in the sources of a content, and the partials that it includes. The channel's schema checks its
   * shape. Throws {@link RendererBusy}.
   */
  async check(channel: Channel, content: Content, tenantId: string): Promise<CheckedContent> {
    const rules = rulesOf(channel);
    try {
      if (this.parsesInline(rules, new Composed(content, null))) {
        this.onRender('inline');
        return checkFields(rules, content, this.programOf(rules));
      }
      const result = await this.inThread(tenantId, { kind: 'check', rules, content });
      if (result.kind !== 'checked') throw new Error(`a render thread returned ${result.kind}`);
      return result;
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      return { faults: [{ pointer: '', message: error.message }], uses: {} };
    }
  }

  /**
   * Returns the message: the content with every source rendered and made safe for its field. Throws {@link
   * TemplateFault}, which names the field and a missing variable; {@link RendererBusy} when too many contents wait for
   * a thread.
   */
  async render(
    channel: Channel,
    given: Content | Composed,
    layers: readonly PayloadLayer[],
    tenantId: string,
  ): Promise<Content> {
    const rules = rulesOf(channel);
    const composed = given instanceof Composed ? given : new Composed(given, null);
    const parsesInline = this.parsesInline(rules, composed);
    if (parsesInline && layers.every(isSmall)) {
      const message = this.renderInline(rules, composed, layers);
      if (message) return message;
    }
    const sent = layers.map((layer) =>
      layer instanceof SharedPayload ? { id: layer.id, bytes: layer.bytes } : JSON.stringify(layer),
    );
    const result = await this.inThread(tenantId, {
      kind: 'render',
      rules,
      ...composed,
      layers: sent,
      learn: !parsesInline,
    });
    if (result.kind !== 'rendered') throw new Error(`a render thread returned ${result.kind}`);
    for (const { source, kind, program } of result.learned) this.programs.set(source, kind, program);
    return result.message;
  }

  /** Ends the threads. */
  close(): Promise<void> {
    return this.pool.close();
  }

  private renderInline(rules: FieldRules, composed: Composed, layers: readonly PayloadLayer[]): Content | null {
    const root = new Root(layers.map((layer) => (layer instanceof SharedPayload ? layer.object : layer)));
    try {
      const message = renderFields(rules, composed, root, { inline: true, programOf: this.programOf(rules) });
      this.onRender('inline');
      return message;
    } catch (error) {
      if (!(error instanceof TooLongInline)) throw error;
      return null;
    }
  }

  /** Whether all programs of a content are cached or can be parsed quickly. */
  private parsesInline(rules: FieldRules, composed: Composed): boolean {
    let [words, characters] = [0, 0];
    for (const { text, kind } of allSourcesOf(rules, composed)) {
      words += 1;
      // A source that is too long is rejected before it is parsed.
      if (text.length > rules.maxSourceBytes || !text.includes('{{')) continue;
      const known = this.programs.get(text, kind);
      if (known === 'large') return false;
      if (!known) {
        words += countWords(text, MAX_INLINE_WORDS);
        characters += text.length;
      }
      if (words > MAX_INLINE_WORDS || characters > MAX_INLINE_SOURCE) return false;
    }
    return true;
  }

  private programOf({ maxSourceBytes }: FieldRules): (source: string, kind: FieldKind) => Program {
    return (source, kind) => {
      const known = this.programs.get(source, kind);
      if (known && known !== 'large') return known;
      const program = parseProgram(source, { maxBytes: maxSourceBytes, trustedHtml: kind === 'html' });
      if (source.includes('{{')) this.programs.set(source, kind, program);
      return program;
    };
  }

  private async inThread(tenantId: string, job: Job): Promise<Exclude<JobResult, { kind: 'fault' }>> {
    try {
      const result = await this.pool.run(tenantId, job);
      this.onRender('thread');
      if (result.kind === 'fault') throw new TemplateFault(result.message);
      return result;
    } catch (error) {
      if (error instanceof RendererBusy) this.onRender('busy');
      throw error;
    }
  }
}

function rulesOf({ fields, maxSourceBytes, textFrom }: Channel): FieldRules {
  return { fields, maxSourceBytes, ...(textFrom && { textFrom }) };
}

function isSmall(layer: PayloadLayer): boolean {
  return layer instanceof SharedPayload ? layer.isSmall : isSmallPayload(layer);
}
