/** Repeats a step, with rests in between, until it is stopped. */
export class Loop {
  private isRunning = false;
  private running: Promise<void> = Promise.resolve();
  private endRest: () => void = () => undefined;

  /** `step` returns for how many milliseconds to rest. It must not throw. */
  constructor(private readonly step: () => Promise<number>) {}

  start(): void {
    this.isRunning = true;
    this.running = this.repeat();
  }

  /** Ends a rest. Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.isRunning = false;
    this.endRest();
    await this.running;
  }

  private async repeat(): Promise<void> {
    while (this.isRunning) await this.rest(await this.step());
  }

  private async rest(milliseconds: number): Promise<void> {
    if (!this.isRunning || milliseconds < 1) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
