// Sets the clock of the product's processes and their PostgreSQL: libfaketime (Debian package `faketime`).

import { globSync, writeFileSync } from 'node:fs';

const PLACES = [
  '/usr/lib/*/faketime/libfaketimeMT.so.1',
  '/usr/lib/faketime/libfaketimeMT.so.1',
  '/usr/local/lib/faketime/libfaketimeMT.so.1',
];

/** The path of the library, or undefined if it is not installed. */
export function fakeTimeLibrary(): string | undefined {
  return PLACES.flatMap((place) => globSync(place))[0];
}

/** All processes that start with `environment` share the clock and see a change within a second. */
export class ShiftedClock {
  readonly environment: Record<string, string>;
  private readonly file: string;

  constructor(library: string, file: string, at: Date) {
    this.file = file;
    this.set(at);
    this.environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      // Timers and latencies use the monotonic clock, which stays unchanged.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // PostgreSQL runs as another user and could not open the shared memory of this one.
      FAKETIME_DISABLE_SHM: '1',
    };
  }

  /** Sets the clock to `at`. */
  set(at: Date): void {
    writeFileSync(this.file, `${((at.getTime() - Date.now()) / 1_000).toFixed(3)}\n`, { mode: 0o644 });
  }
}
