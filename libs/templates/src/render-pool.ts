import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DomainError } from '#domain';
import { FairQueue } from './fair-queue.ts';
import type { Job, JobResult, ThreadMessage } from './render-job.ts';
import { TemplateFault } from './template-fault.ts';

/** Processor time of one job in its thread. Every known render exhausts its budget in less than half of it. */
const TIME_LIMIT_MS = 250;
/** Elapsed time may be this many times longer, because the machine may be busy. */
const MAX_SLOWDOWN = 10;
const MEMORY_MB = 192;
const MAX_THREADS = 4;
const IDLE_MS = 10_000;
/** Jobs that may wait for a thread, of all tenants and of one. */
const QUEUE_LIMITS = { total: 2_000, perTenant: 500 };
const MAX_WAIT_MS = 5_000;
/** How long a tenant's jobs come last after one of them ran out of time. */
const DEPRIORITIZED_MS = 60_000;

/** Too many renders wait already, or this one has waited too long. Not an error of the template. */
export class RendererBusy extends DomainError {
  constructor() {
    super('unavailable', 'Too many large templates wait to be rendered.', { retryAfterSeconds: 2 });
    this.name = 'RendererBusy';
  }
}

interface Task {
  job: Job;
  resolve: (result: JobResult) => void;
  reject: (error: Error) => void;
  waitLimit: NodeJS.Timeout;
}

interface Thread {
  worker: Worker;
  ready: boolean;
  /** Processor time before the job; null before Node 23.9, where elapsed time counts. */
  cpuMs: number | null;
  running: { tenantId: string; task: Task; startedAt: number; limit: NodeJS.Timeout } | null;
  idle: NodeJS.Timeout | null;
}

export interface PoolOptions {
  /** Default: one per core, at most four. */
  threads?: number | undefined;
  timeLimitMs?: number;
  memoryMb?: number;
  idleMs?: number;
  onTimeOut?: () => void;
}

/**
 * Threads that check and render contents which would block the event loop. They start when needed and end when idle. A
 * job that runs out of time or memory ends its thread. Idle threads do not keep the process alive.
 */
export class RenderPool {
  private readonly threads = new Set<Thread>();
  private readonly queue = new FairQueue<Task>(QUEUE_LIMITS);
  private readonly deprioritized = new Map<string, number>();
  private readonly maxThreads: number;
  private readonly timeLimitMs: number;
  private readonly memoryMb: number;
  private readonly idleMs: number;
  private readonly onTimeOut: () => void;

  constructor(options: PoolOptions = {}) {
    this.maxThreads = options.threads ?? Math.min(availableParallelism(), MAX_THREADS);
    this.timeLimitMs = options.timeLimitMs ?? TIME_LIMIT_MS;
    this.memoryMb = options.memoryMb ?? MEMORY_MB;
    this.idleMs = options.idleMs ?? IDLE_MS;
    this.onTimeOut = options.onTimeOut ?? (() => {});
  }

  /** Jobs that wait for a thread. */
  get waiting(): number {
    return this.queue.size;
  }

  /** Throws `TemplateFault` when the job runs out of time or memory, and {@link RendererBusy}. */
  run(tenantId: string, job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const waitLimit = setTimeout(() => {
        if (this.queue.remove(tenantId, task)) reject(new RendererBusy());
      }, MAX_WAIT_MS);
      const task: Task = { job, resolve, reject, waitLimit };
      const refused = this.queue.push(tenantId, task);
      if (refused) this.refuse(refused, new RendererBusy());
      if (refused !== task) this.next();
    });
  }

  async close(): Promise<void> {
    for (let waiting = this.take(); waiting; waiting = this.take()) this.refuse(waiting.item, new RendererBusy());
    await Promise.all([...this.threads].map((thread) => this.end(thread, new RendererBusy())));
  }

  private take(): ReturnType<FairQueue<Task>['shift']> {
    return this.queue.shift((tenantId) => (this.deprioritized.get(tenantId) ?? 0) > Date.now());
  }

  private next(): void {
    for (const thread of this.threads) if (thread.ready && !thread.running) this.assign(thread);
    const starting = [...this.threads].filter(({ ready }) => !ready).length;
    if (this.queue.size > starting && this.threads.size < this.maxThreads) this.start();
  }

  private assign(thread: Thread): void {
    const taken = this.take();
    if (!taken) return;
    const { tenantId, item: task } = taken;
    clearTimeout(task.waitLimit);
    if (thread.idle) clearTimeout(thread.idle);
    // The time counts from here, because the thread is ready and idle.
    const limit = this.checkIn(thread, task, this.timeLimitMs);
    thread.running = { tenantId, task, startedAt: performance.now(), limit };
    thread.worker.ref();
    thread.worker.postMessage(task.job);
  }

  /** Checks after `ms` whether the job has exceeded its time. A result that has arrived by then is read first. */
  private checkIn(thread: Thread, task: Task, ms: number): NodeJS.Timeout {
    return setTimeout(() => setImmediate(() => void this.checkTime(thread, task)), ms);
  }

  private async checkTime(thread: Thread, task: Task): Promise<void> {
    if (thread.running?.task !== task) return;
    const elapsed = performance.now() - thread.running.startedAt;
    const used = elapsed < this.timeLimitMs * MAX_SLOWDOWN ? await processorTime(thread) : null;
    if (thread.running?.task !== task) return;
    const left = this.timeLimitMs - (used ?? elapsed);
    if (left > 0) thread.running.limit = this.checkIn(thread, task, Math.max(left, 10));
    else this.timeOut(thread);
  }

  private start(): void {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./render-thread.${extension}`, import.meta.url), {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: this.memoryMb, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
    });
    const thread: Thread = { worker, ready: false, cpuMs: null, running: null, idle: null };
    this.threads.add(thread);
    worker.on('message', (message: ThreadMessage) => this.received(thread, message));
    worker.on('error', (error) => this.failed(thread, error));
    worker.on('exit', () => void this.end(thread, new Error('a render thread ended')));
  }

  private received(thread: Thread, { cpuMs, result }: ThreadMessage): void {
    // The thread was ended before this message was read. It must get no other task.
    if (!this.threads.has(thread)) return;
    thread.cpuMs = cpuMs;
    thread.ready = true;
    if (result && thread.running) {
      const { task } = thread.running;
      this.finish(thread);
      task.resolve(result);
    }
    this.assign(thread);
    if (!thread.running) this.becomeIdle(thread);
  }

  private finish(thread: Thread): void {
    clearTimeout(thread.running!.limit);
    thread.running = null;
  }

  private becomeIdle(thread: Thread): void {
    thread.worker.unref();
    thread.idle = setTimeout(() => void this.end(thread, new Error('an idle thread ended')), this.idleMs).unref();
  }

  private timeOut(thread: Thread): void {
    const now = Date.now();
    for (const [tenantId, until] of this.deprioritized) if (until <= now) this.deprioritized.delete(tenantId);
    this.deprioritized.set(thread.running!.tenantId, now + DEPRIORITIZED_MS);
    this.onTimeOut();
    void this.end(thread, new TemplateFault(`the template took longer than ${this.timeLimitMs} ms`));
  }

  private failed(thread: Thread, error: unknown): void {
    const isMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    const fault = isMemory
      ? new TemplateFault(`the template needs more than ${this.memoryMb} MB of memory`)
      : (error as Error);
    // A thread that cannot start would be started repeatedly for the same job.
    if (!thread.ready) {
      const waiting = this.take();
      if (waiting) this.refuse(waiting.item, fault);
    }
    void this.end(thread, fault);
  }

  /** Ends a thread and rejects its job with `error`. */
  private async end(thread: Thread, error: Error): Promise<void> {
    if (!this.threads.delete(thread)) return;
    const { running } = thread;
    if (running) this.finish(thread);
    running?.task.reject(error);
    if (thread.idle) clearTimeout(thread.idle);
    this.next();
    await thread.worker.terminate();
  }

  private refuse(task: Task, error: Error): void {
    clearTimeout(task.waitLimit);
    task.reject(error);
  }
}

/** Processor time of the running job in milliseconds; null before Node 24.6, which cannot measure it. */
async function processorTime({ worker, cpuMs }: Thread): Promise<number | null> {
  if (cpuMs === null || !worker.cpuUsage) return null;
  // Rejects when the thread has just ended. Its job is finished then.
  const usage = await worker.cpuUsage().catch(() => null);
  return usage && (usage.user + usage.system) / 1_000 - cpuMs;
}
