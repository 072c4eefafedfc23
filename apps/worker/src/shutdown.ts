import { Injectable } from '@nestjs/common';

/** Lets every part of the worker see that it is stopping: nothing new begins after that. */
@Injectable()
export class Shutdown {
  private readonly controller = new AbortController();

  get hasBegun(): boolean {
    return this.controller.signal.aborted;
  }

  /** Aborted when the shutdown begins. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  begin(): void {
    this.controller.abort();
  }
}
