import type { LitElement, ReactiveController } from 'lit';

/** The next page is loaded before the reader is at the end of this one. */
const AHEAD = '800px';

/** Calls `onEnd` when the element `#next` comes near, and again after an update if it is still there. */
export class EndWatch implements ReactiveController {
  private observer: IntersectionObserver | undefined;

  constructor(
    private readonly host: LitElement,
    private readonly onEnd: () => void,
  ) {
    host.addController(this);
  }

  hostUpdated(): void {
    this.observer?.disconnect();
    const next = this.host.renderRoot.querySelector('#next');
    if (!next) return;
    const root = next.closest('.scroller');
    if (this.observer?.root !== root)
      this.observer = new IntersectionObserver(this.onSeen, { root, rootMargin: AHEAD });
    this.observer.observe(next);
  }

  hostDisconnected(): void {
    this.observer?.disconnect();
  }

  private readonly onSeen = (entries: IntersectionObserverEntry[]): void => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) this.onEnd();
  };
}
