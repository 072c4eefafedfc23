import type { Channel, FieldKind } from '#domain';
import { TooLongInline } from './budget.ts';
import { checkFields } from './check-fields.ts';
import { countWords } from './check-source.ts';
import { type Content, type FieldRules, renderFields, sourcesOf } from './fields.ts';
import { isSmallPayload, Root, SharedPayload } from './payload.ts';
import { type Program, parseProgram } from './program.ts';
import { ProgramCache } from './program-cache.ts';
import type { ContentFault, Job, JobResult } from './render-job.ts';
import { type PoolOptions, RendererBusy, RenderPool } from './render-pool.ts';
import { TemplateFault } from './template-fault.ts';

/** Words of all sources that may be parsed on the event loop for one content: about a millisecond. */
const MAX_INLINE_WORDS = 200;
/** Characters likewise; the parser takes up to 0.1 µs for one. */
const MAX_INLINE_SOURCE = 16 * 1024;

/** Bytes. */
const MAX_CACHED_PROGRAMS = 16 * 1024 * 1024;

/** Where a content was checked or rendered, or why it was not. */
export type RenderEvent = 'inline' | 'thread' | 'time_out' | 'busy';

export interface RendererOptions extends Omit<PoolOptions, 'onTimeOut'> {
  onRender?: (event: RenderEvent) => void;
}

/** One layer of a payload; of two with the same property, the later one wins. */
export type PayloadLayer = object | SharedPayload;

/**
 * Checks and renders contents of templates. What is known to take less than a millisecond runs on the event loop; everything
 * else in a thread with a time and a memory limit (ADR 21).
 */
export class TemplateRenderer {
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
   * All faults of a content's sources, for the moment it is saved. The channel's schema checks the shape. Throws
   * {@link RendererBusy}.
   */
  async faults(channel: Channel, content: Content, tenantId: string): Promise<ContentFault[]> {
    const rules = rulesOf(channel);
    try {
      if (this.parsesInline(rules, content)) {
        this.onRender('inline');
        return checkFields(rules, content, this.programOf(rules));
      }
      const result = await this.inThread(tenantId, { kind: 'check', rules, content });
      return result.kind === 'checked' ? result.faults : [];
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      return [{ pointer: '', message: error.message }];
    }
  }

  /**
   * The message: the content with every source rendered and made safe for its field. Throws {@link TemplateFault} naming
   * the field and, for a missing variable, the variable; {@link RendererBusy} when too much waits for a thread.
   */
  async render(
    channel: Channel,
    content: Content,
    layers: readonly PayloadLayer[],
    tenantId: string,
  ): Promise<Content> {
    const rules = rulesOf(channel);
    const parsesInline = this.parsesInline(rules, content);
    if (parsesInline && layers.every(isSmall)) {
      const message = this.renderInline(rules, content, layers);
      if (message) return message;
    }
    const sent = layers.map((layer) =>
      layer instanceof SharedPayload ? { id: layer.id, bytes: layer.bytes } : JSON.stringify(layer),
    );
    const result = await this.inThread(tenantId, {
      kind: 'render',
      rules,
      content,
      layers: sent,
      learn: !parsesInline,
    });
    if (result.kind !== 'rendered') throw new Error(`a render thread answered ${result.kind}`);
    for (const { source, kind, program } of result.learned) this.programs.set(source, kind, program);
    return result.message;
  }

  /** Ends the threads; for tests and for the end of the process. */
  close(): Promise<void> {
    return this.pool.close();
  }

  private renderInline(rules: FieldRules, content: Content, layers: readonly PayloadLayer[]): Content | null {
    const root = new Root(layers.map((layer) => (layer instanceof SharedPayload ? layer.object : layer)));
    try {
      const message = renderFields(rules, content, root, { inline: true, programOf: this.programOf(rules) });
      this.onRender('inline');
      return message;
    } catch (error) {
      if (!(error instanceof TooLongInline)) throw error;
      return null;
    }
  }

  /** Whether all programs of a content are known, or quickly made. */
  private parsesInline(rules: FieldRules, content: Content): boolean {
    let [words, characters] = [0, 0];
    for (const { text, kind } of sourcesOf(rules, content)) {
      words += 1;
      // One that is too long is refused before it is parsed.
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
