import type { BenchEnvironment } from './bench-environment.ts';
import type { Services } from './services.ts';

/** The amount of work: CI uses `smoke` to check that every scenario runs; published figures use `full`. */
export type Size = 'smoke' | 'small' | 'full';

export interface Figures {
  id: string;
  work: string;
  /** Carillon's figures by name: rates per second, milliseconds, counts. */
  figures: Record<string, number>;
  /** The limit of the machine, measured in the same run, in the unit of `headline`. */
  limit: { name: string; value: number } | null;
  headline: { name: string; value: number; unit: string };
  /** The alternative, which does the same work in the same run, in the unit of `headline`. */
  peers: { name: string; value: number }[];
  /** headline ÷ limit, or limit ÷ headline if less is better; null without a limit. */
  ratio: number | null;
  /** The smoke run fails below this ratio. */
  floor: number | null;
  /** The targets on 2 cores, and whether this run met them. */
  targets: { name: string; met: boolean }[];
}

export interface Context {
  product: BenchEnvironment;
  services: Services;
  size: Size;
  /** Prints one line of progress. */
  say: (text: string) => void;
  /** A folder for CPU profiles, or undefined. */
  profiles: string | undefined;
  /** Duration and rate of the soak. Default: the duration of the size, and half of the measured capacity. */
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

/** Fails a run with a wrong result, so that its figures are not reported. */
export function check(what: string, seen: number, wanted: number): void {
  if (seen !== wanted) throw new Error(`${what}: expected ${wanted}, saw ${seen}`);
}
