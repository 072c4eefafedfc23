import { html, nothing, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { InboxItem } from '../element-api.js';
import { closeIcon } from './icons.js';
import { type ItemContext, title } from './item-view.js';

const SHOWN_MS = 6_000;
const MAX_SHOWN = 3;

/** Short notices of new items. They stay while the pointer or the focus is on them. */
export class Toasts implements ReactiveController {
  private items: InboxItem[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: ReactiveControllerHost) {
    host.addController(this);
  }

  hostDisconnected(): void {
    this.clear();
  }

  add(item: InboxItem): void {
    this.items = [item, ...this.items].slice(0, MAX_SHOWN);
    this.wait();
    this.host.requestUpdate();
  }

  private remove(id: string): void {
    this.items = this.items.filter((item) => item.id !== id);
    this.host.requestUpdate();
  }

  clear(): void {
    clearTimeout(this.timer);
    this.items = [];
    this.host.requestUpdate();
  }

  private readonly wait = (): void => {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.clear(), SHOWN_MS);
  };

  private readonly hold = (): void => clearTimeout(this.timer);

  /**
   * The region stays in the page, so that screen readers know it before it has content. An item that was read, here or
   * elsewhere, needs no notice.
   */
  render(context: ItemContext, isUnread: (id: string) => boolean): TemplateResult {
    return html`<div
      class="toasts"
      role="status"
      @pointerenter=${this.hold}
      @pointerleave=${this.wait}
      @focusin=${this.hold}
      @focusout=${this.wait}
    >
      ${repeat(
        this.items.filter(({ id }) => isUnread(id)),
        ({ id }) => id,
        (item) => this.toast(item, context),
      )}
    </div>`;
  }

  private toast(item: InboxItem, context: ItemContext): TemplateResult {
    const { texts } = context;
    return html`<div class="toast" part="toast">
      <div class="text">
        <span class="hidden">${texts.newItem}:</span>
        <p dir="auto">${title(item, context, true)}</p>
        ${item.body === '' ? nothing : html`<p class="body" dir="auto">${item.body}</p>`}
      </div>
      <div class="actions">
        <button
          class="icon"
          type="button"
          aria-label="${texts.close}: ${item.title}"
          @click=${() => this.remove(item.id)}
        >
          ${closeIcon}
        </button>
      </div>
    </div>`;
  }
}
