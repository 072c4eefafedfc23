import type { LitElement, ReactiveController } from 'lit';

const LIST_KEYS = { next: 'ArrowDown', previous: 'ArrowUp' };

/**
 * The keyboard in tabs and list: the Tab key reaches one tab and one item, the arrow keys move between them. If the
 * item with the focus leaves the list, its neighbour gets the focus.
 */
export class ListFocus implements ReactiveController {
  /** The item whose controls the Tab key reaches. */
  activeId: string | undefined;
  /** Neighbours of the item that had the focus before the update. */
  private neighbours: (string | undefined)[] | undefined;

  constructor(private readonly host: LitElement) {
    host.addController(this);
  }

  hostUpdate(): void {
    const row = this.focusedRow();
    const [next, previous] = [row?.nextElementSibling, row?.previousElementSibling];
    this.neighbours = row ? [idOf(row), idOf(next), idOf(previous)] : undefined;
  }

  hostUpdated(): void {
    const ids = this.neighbours;
    this.neighbours = undefined;
    if (!ids || this.root.activeElement) return;
    const rows = this.rows();
    const row = ids.map((id) => rows.find((one) => id !== undefined && idOf(one) === id)).find((found) => found);
    if (row) open(row)?.focus();
    else this.focusTab();
  }

  focusTab(): void {
    this.root.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus();
  }

  readonly onFocus = (): void => {
    const id = idOf(this.focusedRow());
    if (id === undefined || id === this.activeId) return;
    this.activeId = id;
    this.host.requestUpdate();
  };

  /** For the element around tabs and list. */
  readonly onKey = (event: KeyboardEvent): void => {
    const tab = this.root.activeElement?.closest('[role="tab"]');
    const row = this.focusedRow();
    if (tab) this.move(event, [...this.root.querySelectorAll<HTMLElement>('[role="tab"]')], tab, this.tabKeys());
    else if (row) this.move(event, this.rows(), row, LIST_KEYS);
  };

  private move(event: KeyboardEvent, all: HTMLElement[], from: Element, keys: typeof LIST_KEYS): void {
    const index = movedIndex(event.key, all.indexOf(from as HTMLElement), all.length, keys);
    if (index === null) return;
    event.preventDefault();
    const target = all[index];
    if (!target) return;
    (open(target) ?? target).focus();
    if (target.role === 'tab') target.click();
    else target.scrollIntoView({ block: 'nearest' });
  }

  /** In a text that runs from right to left, the next tab is on the left. */
  private tabKeys(): typeof LIST_KEYS {
    const isRtl = getComputedStyle(this.host).direction === 'rtl';
    return isRtl ? { next: 'ArrowLeft', previous: 'ArrowRight' } : { next: 'ArrowRight', previous: 'ArrowLeft' };
  }

  private get root(): ShadowRoot {
    return this.host.renderRoot as ShadowRoot;
  }

  private rows(): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>('li[data-id]')];
  }

  private focusedRow(): HTMLElement | null | undefined {
    return (this.host.renderRoot as ShadowRoot | undefined)?.activeElement?.closest<HTMLElement>('li[data-id]');
  }
}

function idOf(row: Element | null | undefined): string | undefined {
  return (row as HTMLElement | null | undefined)?.dataset['id'];
}

function open(row: HTMLElement): HTMLElement | null {
  return row.querySelector<HTMLElement>('.open');
}

/** Null for a key that does not move. */
function movedIndex(key: string, index: number, count: number, keys: typeof LIST_KEYS): number | null {
  if (key === keys.next) return Math.min(index + 1, count - 1);
  if (key === keys.previous) return Math.max(index - 1, 0);
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  return null;
}
