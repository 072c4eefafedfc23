import type { LitElement } from 'lit';

/** Distance to the bell and to the edges of the window, in pixels. */
const GAP = 8;
/** With less space below the bell, the panel goes above it if there is more. */
const MIN_SPACE = 240;

interface Host extends LitElement {
  mode: 'popover' | 'inline';
  open: boolean;
}

/**
 * The panel as a popover of the browser: it is above the page, and closes with Escape or a click beside it.
 * The bell gets the focus back.
 */
export class PanelPopover {
  /** Whether the focus was in the panel when it began to close. */
  private hadFocus = false;

  constructor(
    private readonly host: Host,
    private readonly onOpen: () => void,
  ) {}

  /** Shows or hides it, as `open` of the element says. */
  show(): void {
    const { panel } = this;
    if (!panel?.isConnected || this.host.mode === 'inline') return;
    if (panel.matches(':popover-open') !== this.host.open) panel.togglePopover(this.host.open);
    this.place();
  }

  readonly onBeforeToggle = (event: ToggleEvent): void => {
    const { activeElement } = this.host.renderRoot as ShadowRoot;
    if (event.newState === 'closed') this.hadFocus = this.panel?.contains(activeElement) === true;
  };

  readonly onToggle = (event: ToggleEvent): void => {
    this.host.open = event.newState === 'open';
    // Not if a click elsewhere has moved it.
    const isLost = document.activeElement === document.body || document.activeElement === this.host;
    if (!this.host.open && this.hadFocus && isLost) this.bell?.focus();
    if (!this.host.open) return;
    this.place();
    this.onOpen();
  };

  /** At the bell, inside the window. CSS anchors are not in all browsers yet. */
  place(): void {
    const { bell, panel } = this;
    if (!bell || !panel || !this.host.open) return;
    const at = bell.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const below = clientHeight - at.bottom - 2 * GAP;
    const above = at.top - 2 * GAP;
    const isAbove = below < MIN_SPACE && above > below;
    panel.style.setProperty('--space', `${Math.max(isAbove ? above : below, 0)}px`);
    const width = panel.offsetWidth;
    const wanted = getComputedStyle(bell).direction === 'rtl' ? at.left : at.right - width;
    const left = Math.min(Math.max(wanted, GAP), Math.max(clientWidth - width - GAP, GAP));
    panel.style.setProperty('--left', `${left}px`);
    panel.style.setProperty('--top', `${isAbove ? at.top - GAP - panel.offsetHeight : at.bottom + GAP}px`);
  }

  private get bell(): HTMLElement | null {
    return this.host.renderRoot.querySelector<HTMLElement>('.bell');
  }

  private get panel(): HTMLElement | null {
    return this.host.renderRoot.querySelector<HTMLElement>('#panel');
  }
}
