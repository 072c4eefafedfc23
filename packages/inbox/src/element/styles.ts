import { css } from 'lit';
import { contentStyles } from './content-styles.js';

/** Colours and sizes. The README lists the properties that a page may set. */
const theme = css`
  :host {
    color-scheme: var(--carillon-color-scheme, light dark);
    --ink: var(--carillon-text, light-dark(#171a21, #e9ecf2));
    --soft: var(--carillon-text-soft, light-dark(#565e6c, #a8b0c0));
    --paper: var(--carillon-background, light-dark(#ffffff, #16191f));
    --tint: var(--carillon-background-hover, light-dark(#f2f4f8, #22262f));
    --unread: var(--carillon-background-unread, light-dark(#eef1ff, #1d2234));
    --line: var(--carillon-border, light-dark(#d8dbe2, #363b46));
    --accent: var(--carillon-accent, light-dark(#3d4fd6, #93a0ff));
    --on-accent: var(--carillon-on-accent, light-dark(#ffffff, #10131c));
    --badge: var(--carillon-badge, light-dark(#c62828, #ff8a80));
    --on-badge: var(--carillon-on-badge, light-dark(#ffffff, #10131c));
    --radius: var(--carillon-radius, 0.6rem);
    font: var(--carillon-font, 15px/1.45 system-ui, sans-serif);
    color: var(--ink);
    display: inline-block;
  }
  :host([mode='inline']) {
    display: block;
  }
  :host([hidden]) {
    display: none;
  }
  * {
    box-sizing: border-box;
  }
  h2,
  h3,
  p,
  ul {
    margin: 0;
    padding: 0;
    font: inherit;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  button {
    font: inherit;
    color: inherit;
    background: none;
    border: 1px solid transparent;
    border-radius: calc(var(--radius) * 0.7);
    padding: 0.3rem 0.5rem;
    cursor: pointer;
  }
  button.icon {
    display: inline-grid;
    place-items: center;
    inline-size: 2.25rem;
    block-size: 2.25rem;
    padding: 0;
    flex: none;
  }
  button:hover {
    background: var(--tint);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .back:dir(rtl) {
    transform: scaleX(-1);
  }
  @media (forced-colors: active) {
    .item.unread {
      border-inline-start: 4px solid Highlight;
    }
    .badge,
    .toast,
    [role='tab'][aria-selected='true'] {
      border: 1px solid CanvasText;
    }
  }
`;

const panel = css`
  .bell {
    position: relative;
    inline-size: 2.75rem;
    block-size: 2.75rem;
  }
  .badge {
    position: absolute;
    inset-block-start: 0.1rem;
    inset-inline-end: 0;
    min-inline-size: 1.2rem;
    padding: 0 0.3rem;
    border-radius: 1rem;
    background: var(--badge);
    color: var(--on-badge);
    font-size: 0.75rem;
    line-height: 1.2rem;
    font-weight: 600;
    text-align: center;
  }
  .panel {
    display: flex;
    flex-direction: column;
    background: var(--paper);
    color: var(--ink);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    max-block-size: var(--carillon-height, 32rem);
    overflow: hidden;
  }
  .panel[popover] {
    position: fixed;
    margin: 0;
    padding: 0;
    inset: auto;
    top: var(--top, 4rem);
    left: var(--left, 0.5rem);
    inline-size: min(var(--carillon-width, 25rem), calc(100vw - 1rem));
    max-block-size: min(var(--carillon-height, 36rem), var(--space, 80vh));
    box-shadow: 0 0.6rem 2rem rgb(0 0 0 / 25%);
  }
  .panel[popover]:not(:popover-open) {
    display: none;
  }
  .head {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    padding: 0.5rem 0.75rem;
  }
  .head h2 {
    flex: 1;
    font-weight: 650;
    font-size: 1.1em;
  }
  .banner {
    padding: 0.4rem 0.75rem;
    background: var(--tint);
    color: var(--ink);
    font-size: 0.9em;
  }
  .banner:empty {
    display: none;
  }
  .tabs {
    display: flex;
    flex: none;
    gap: 0.25rem;
    padding: 0 0.75rem;
    border-block-end: 1px solid var(--line);
    overflow-x: auto;
  }
  [role='tab'] {
    border-radius: 0;
    white-space: nowrap;
    color: var(--soft);
    border-block-end: 2px solid transparent;
  }
  [role='tab']:focus-visible {
    outline-offset: -2px;
  }
  [role='tab'][aria-selected='true'] {
    color: var(--ink);
    border-block-end-color: var(--accent);
    font-weight: 600;
  }
  .scroller {
    overflow-y: auto;
    overscroll-behavior: contain;
    flex: 1;
    min-block-size: 6rem;
  }
  .words {
    padding: 1.5rem 1rem;
    text-align: center;
    color: var(--soft);
  }
  .words button,
  .plain {
    border-color: var(--line);
    color: var(--accent);
  }
`;

export const styles = [theme, panel, ...contentStyles];
