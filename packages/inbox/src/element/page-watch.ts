import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** Relative times are drawn again this often. */
const CLOCK_MS = 60_000;

/** Events of the window: its size, its connection, its visibility; and the minutes. */
export class PageWatch implements ReactiveController {
  /** Milliseconds; changes once a minute: each change draws all items again. */
  now = Date.now();
  private clock: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly listeners: { onMove(): void; onVisible(): void },
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.clock = setInterval(this.tick, CLOCK_MS);
    addEventListener('resize', this.listeners.onMove);
    addEventListener('scroll', this.listeners.onMove, { capture: true, passive: true });
    addEventListener('online', this.tick);
    addEventListener('offline', this.tick);
    document.addEventListener('visibilitychange', this.listeners.onVisible);
  }

  hostDisconnected(): void {
    clearInterval(this.clock);
    removeEventListener('resize', this.listeners.onMove);
    removeEventListener('scroll', this.listeners.onMove, { capture: true });
    removeEventListener('online', this.tick);
    removeEventListener('offline', this.tick);
    document.removeEventListener('visibilitychange', this.listeners.onVisible);
  }

  readonly tick = (): void => {
    this.now = Date.now();
    this.host.requestUpdate();
  };
}
