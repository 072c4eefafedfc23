import { html, LitElement, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from 'lit';
import type { CategoryTab, InboxCounts, InboxEvents, InboxItem, InboxProperties, InboxTexts } from '../element-api.js';
import type { ItemAction } from '../state/inbox-actions.js';
import { InboxSession } from '../state/inbox-session.js';
import { ALL } from '../state/item-lists.js';
import { EndWatch } from './end-watch.js';
import type { ItemContext } from './item-view.js';
import { labelledTabs } from './labelled-tabs.js';
import { Language } from './language.js';
import { ListFocus } from './list-focus.js';
import { type LabelledTab, listView } from './list-view.js';
import { PageWatch } from './page-watch.js';
import { PanelPopover } from './panel-popover.js';
import { bellView, headView, type PanelContext } from './panel-view.js';
import { PreferencePage } from './preference-page.js';
import { preferencesView } from './preferences-view.js';
import { styles } from './styles.js';
import { Toasts } from './toasts.js';
import { tokenSource } from './token-source.js';

const NO_COUNTS: InboxCounts = { total: 0, unread: 0, unseen: 0 };

export class CarillonInbox extends LitElement implements InboxProperties {
  static override readonly styles = styles;
  static override readonly properties: PropertyDeclarations = {
    url: {},
    token: {},
    tokenProvider: { attribute: false },
    mode: { reflect: true },
    open: { type: Boolean, reflect: true },
    preferences: { type: Boolean },
    noToasts: { type: Boolean, attribute: 'no-toasts' },
    categories: { attribute: false },
    texts: { attribute: false },
  };
  declare url: string;
  declare token: string | undefined;
  declare tokenProvider: (() => string | Promise<string>) | undefined;
  declare mode: 'popover' | 'inline';
  declare open: boolean;
  declare preferences: boolean;
  declare noToasts: boolean;
  declare categories: readonly CategoryTab[];
  declare texts: Partial<InboxTexts>;

  private session: InboxSession | undefined;
  private tabId = ALL.id;
  private hasFailedAction = false;
  /** For screen readers. */
  private announcement = '';
  private language = new Language(this, {});
  private readonly preferencePage = new PreferencePage(this);
  private readonly toasts = new Toasts(this);
  private readonly focusOfList = new ListFocus(this);
  private readonly popoverPanel = new PanelPopover(this, () => this.focusOfList.focusTab());
  private readonly page = new PageWatch(this, {
    onMove: () => this.popoverPanel.place(),
    onVisible: () => this.markSeen(),
  });

  constructor() {
    super();
    Object.assign(this, { url: '', mode: 'popover', open: false, preferences: false, noToasts: false });
    Object.assign(this, { categories: [], texts: {} });
    new EndWatch(this, () => void this.session?.tabs.loadMore(this.tab));
  }

  get counts(): InboxCounts {
    return this.session?.counts ?? NO_COUNTS;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // Put back. One that is only moved within the page keeps its session, and the changes that wait.
    if (this.hasUpdated && !this.session) this.connect();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    queueMicrotask(() => (this.isConnected ? undefined : this.disconnect()));
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('texts')) this.language = new Language(this, this.texts);
    if (changed.has('url') || changed.has('token') || changed.has('tokenProvider')) this.connect();
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('open') || changed.has('mode')) {
      this.popoverPanel.show();
      if (this.open) this.toasts.clear();
      this.markSeen();
    }
    this.session?.show(this.isShown ? this.tab : undefined);
  }

  protected override render(): TemplateResult {
    const { texts } = this.language;
    const { choices } = this.preferencePage;
    const panel = this.panelContext();
    const isPopover = this.mode !== 'inline';
    return html`<div lang=${texts.lang} part="root">
      ${isPopover ? bellView(panel) : nothing}
      <section
        class="panel"
        part="panel"
        id="panel"
        popover=${isPopover ? 'auto' : nothing}
        role=${isPopover ? 'dialog' : 'region'}
        aria-labelledby="title"
        @beforetoggle=${this.popoverPanel.onBeforeToggle}
        @toggle=${this.popoverPanel.onToggle}
        @keydown=${this.focusOfList.onKey}
        @focusin=${this.focusOfList.onFocus}
      >
        ${headView(panel)}
        <div class="banner" role="status" part="banner">${this.banner()}</div>
        ${this.hasFailedAction ? failedAction(texts.actionFailed) : nothing}
        ${choices ? preferencesView(choices, texts) : this.list()}
      </section>
      ${this.toasts.render(this.itemContext(), (id) => this.session?.lists.get(id)?.read_at === null)}
      <div class="hidden" role="status">${this.announcement}</div>
    </div>`;
  }

  private list(): TemplateResult {
    const { session, tab } = this;
    const items = session?.lists.of(tab) ?? [];
    const { activeId } = this.focusOfList;
    return listView({
      ...this.itemContext(),
      tabs: this.tabs,
      selected: tab,
      items,
      state: session?.tabs.stateOf(tab) ?? { loading: 'first', failed: false, cursor: null, isCurrent: false },
      activeId: items.some(({ id }) => id === activeId) ? activeId : items[0]?.id,
      onSelect: ({ id }) => {
        this.tabId = id;
        this.requestUpdate();
      },
      onRetry: () => session?.tabs.retry(tab),
    });
  }

  private itemContext(): ItemContext {
    const { texts, formats } = this.language;
    return { texts, formats, now: this.page.now, onOpen: this.onOpen, onAction: this.onAction };
  }

  private panelContext(): PanelContext {
    const { texts, formats } = this.language;
    return {
      texts,
      formats,
      unread: this.counts.unread,
      isOpen: this.open,
      isInline: this.mode === 'inline',
      hasPreferences: this.preferences,
      view: this.preferencePage.choices ? 'preferences' : 'list',
      onReadAll: () => this.session?.readAll(),
      onView: (view) => void this.preferencePage.show(view === 'preferences' ? this.session?.inbox : undefined),
      onClose: () => {
        this.open = false;
      },
    };
  }

  private banner(): string {
    const { texts } = this.language;
    if (this.session?.state === 'closed') return texts.ended;
    if (!navigator.onLine) return texts.offline;
    return this.session?.isInterrupted ? texts.reconnecting : '';
  }

  private get tabs(): LabelledTab[] {
    return labelledTabs(this.language.texts, this.categories);
  }

  private get tab(): LabelledTab {
    const { tabs } = this;
    return tabs.find(({ id }) => id === this.tabId) ?? tabs[0]!;
  }

  /** Whether the list is on the screen. */
  private get isShown(): boolean {
    return this.mode === 'inline' || this.open;
  }

  private connect(): void {
    this.disconnect();
    const token = tokenSource(this);
    if (token === undefined) return;
    this.session = new InboxSession(
      { url: this.url || location.origin, token },
      {
        onUpdate: () => this.requestUpdate(),
        onItem: (item) => this.onItem(item),
        onCounts: (counts) => {
          this.emit('carillon-unread', counts);
          this.markSeen();
        },
        onState: (state) => this.emit('carillon-state', { state }),
        onError: (error, isAction) => {
          this.hasFailedAction = isAction;
          this.emit('carillon-error', { error });
        },
      },
    );
  }

  private disconnect(): void {
    this.session?.close();
    this.session = undefined;
    this.preferencePage.close();
  }

  private onItem(item: InboxItem): void {
    const { texts } = this.language;
    if (this.isShown || this.noToasts) this.announcement = `${texts.newItem}: ${item.title}`;
    else if (document.visibilityState === 'visible') this.toasts.add(item);
    this.emit('carillon-item', { item });
  }

  private readonly onOpen = (event: Event, item: InboxItem): void => {
    if (!this.emit('carillon-open-item', { item }, true)) event.preventDefault();
    this.onAction('read', item);
  };

  private readonly onAction = (action: ItemAction, item: InboxItem): void => {
    this.hasFailedAction = false;
    this.session?.run(action, item);
  };

  private markSeen(): void {
    if (this.isShown && document.visibilityState === 'visible') this.session?.seenAll();
  }

  /** Returns false if a listener has called `preventDefault()`. */
  private emit<Name extends keyof InboxEvents>(
    name: Name,
    detail: InboxEvents[Name]['detail'],
    cancelable = false,
  ): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles: true, composed: true }));
  }
}

function failedAction(text: string): TemplateResult {
  return html`<div class="banner" role="alert" part="error">${text}</div>`;
}
