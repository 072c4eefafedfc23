import type { BenchEnvironment } from './bench-environment.ts';
import type { Services } from './services.ts';

/** How much work: `smoke` proves in CI that everything still runs, `full` is what is published. */
export type Size = 'smoke' | 'small' | 'full';

export interface Figures {
  id: string;
  work: string;
  /** Ours, by name: rates a second, milliseconds, counts. */
  figures: Record<string, number>;
  /** What the machine could do at most, measured in the same run; the unit of `headline`. */
  limit: { name: string; value: number } | null;
  headline: { name: string; value: number; unit: string };
  /** What one would use instead, doing the same work in the same run; the unit of `headline`. */
  peers: { name: string; value: number }[];
  /** headline ÷ limit, or limit ÷ headline where less is better; null without a limit. */
  ratio: number | null;
  /** The ratio below which the smoke fails. */
  floor: number | null;
  /** What the issue asks for on 2 cores, and whether this run met it. */
  targets: { name: string; met: boolean }[];
}

export interface Context {
  house: BenchEnvironment;
  services: Services;
  size: Size;
  /** One line of progress. */
  say: (text: string) => void;
  /** A folder for CPU profiles, or undefined. */
  profiles: string | undefined;
  /** How long the soak takes and how many requests a second it sends; undefined for what the size says and what half of the capacity is. */
  soak: { minutes?: number; rate?: number };
}

export interface Scenario {
  id: string;
  title: string;
  run(context: Context): Promise<Figures>;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** A wrong run must not become a figure. */
export function check(what: string, seen: number, wanted: number): void {
  if (seen !== wanted) throw new Error(`${what}: expected ${wanted}, saw ${seen}`);
}
