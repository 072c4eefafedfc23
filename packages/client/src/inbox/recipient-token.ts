/** A token, or a function that gets a new one from your backend. */
export type TokenSource = string | (() => string | Promise<string>);

/** Keeps the token until the server rejects it. */
export class RecipientToken {
  private current: Promise<string> | undefined;

  constructor(private readonly source: TokenSource) {}

  /** Whether another token can be had after the server rejected one. */
  get isRenewable(): boolean {
    return typeof this.source === 'function';
  }

  /** Callers at the same time share one call of the function. */
  async get(): Promise<string> {
    const { source } = this;
    if (typeof source === 'string') return source;
    // A backend may end its answer with a line feed.
    this.current ??= (async () => String(await source()).trim())();
    try {
      return await this.current;
    } catch (error) {
      this.current = undefined;
      throw error;
    }
  }

  /** The next {@link get} calls the function again. Ignores a token that was replaced meanwhile. */
  async drop(rejected: string): Promise<void> {
    const { current } = this;
    // A call that fails drops itself.
    const token = await current?.catch(() => undefined);
    if (token === rejected && this.current === current) this.current = undefined;
  }
}
