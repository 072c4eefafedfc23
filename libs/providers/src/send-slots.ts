/**
 * How many sends of one account may be under way at once. A slot is taken before the intent is committed: whoever waits here
 * has promised nothing, and a worker that is killed meanwhile leaves no outcome in doubt.
 */
export class SendSlots {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  /** `undefined`: no bound. */
  constructor(private readonly slots: number | undefined) {}

  /** Waits for a slot. False when the signal came first; otherwise {@link leave} gives it back. */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (this.slots === undefined || this.taken < this.slots) {
      this.taken += 1;
      return true;
    }
    return await new Promise<boolean>((resolve) => {
      const turn = (): void => {
        signal.removeEventListener('abort', late);
        this.taken += 1;
        resolve(true);
      };
      const late = (): void => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        resolve(false);
      };
      this.waiting.push(turn);
      signal.addEventListener('abort', late, { once: true });
    });
  }

  leave(): void {
    this.taken -= 1;
    this.waiting.shift()?.();
  }
}
