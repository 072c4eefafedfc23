// A clock that can be set, for the product's processes and their Postgres: libfaketime (Debian package `faketime`).

import { globSync, writeFileSync } from 'node:fs';

const PLACES = [
  '/usr/lib/*/faketime/libfaketimeMT.so.1',
  '/usr/lib/faketime/libfaketimeMT.so.1',
  '/usr/local/lib/faketime/libfaketimeMT.so.1',
];

/** The library, or undefined where it is not installed. */
export function fakeTimeLibrary(): string | undefined {
  return PLACES.flatMap((place) => globSync(place))[0];
}

/** All processes that start in `environment` have the same clock, and see within a second that it was set. */
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
      // Timers and latencies are measured with the monotonic clock, which goes on as it is.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // The servers run as another user, who could not open what this one shares.
      FAKETIME_DISABLE_SHM: '1',
    };
  }

  /** From now on it is `at`. */
  set(at: Date): void {
    writeFileSync(this.file, `${((at.getTime() - Date.now()) / 1_000).toFixed(3)}\n`, { mode: 0o644 });
  }
}
