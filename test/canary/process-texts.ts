// What the processes of a test file have written: searched when the file ends (test/setup.ts), so that a process that a
// test kills is searched too.

import { leaksInText } from './find-leaks.js';

interface ProcessText {
  place: string;
  text(): string;
}

const texts: ProcessText[] = [];

/** Searches this text at the end of the test file. `printed`: secrets that the process prints for its user. */
export function watchText(place: string, text: () => string, printed: () => readonly string[] = () => []): void {
  texts.push({ place, text: () => printed().reduce((rest, secret) => rest.replaceAll(secret, ''), text()) });
}

/** Returns a line for each value that is where it must not be, and forgets the texts. */
export function leaksOfProcesses(): string[] {
  return texts.splice(0).flatMap(({ place, text }) => leaksInText(place, text()));
}

/** Keeps the metrics of a process that is about to stop. `port`: its METRICS_PORT on loopback. */
export async function watchMetrics(place: string, port: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`);
  const metrics = await answer.text();
  watchText(place, () => metrics);
}
