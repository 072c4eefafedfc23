import { css } from 'lit';

const item = css`
  ul {
    list-style: none;
  }
  .item {
    position: relative;
    display: flex;
    gap: 0.5rem;
    padding: 0.6rem 0.75rem;
    border-block-end: 1px solid var(--line);
    content-visibility: auto;
    contain-intrinsic-block-size: auto 5rem;
  }
  .item:hover {
    background: var(--tint);
  }
  .item.unread {
    background: var(--unread);
  }
  .dot {
    flex: none;
    inline-size: 0.5rem;
    block-size: 0.5rem;
    margin-block-start: 0.45em;
    border-radius: 50%;
  }
  .unread .dot {
    background: var(--accent);
  }
  .text {
    flex: 1;
    min-inline-size: 0;
    overflow-wrap: anywhere;
  }
  .open {
    all: unset;
    font-weight: 600;
    cursor: pointer;
  }
  /* The whole item is the target of the pointer. */
  .open::after {
    content: '';
    position: absolute;
    inset: 0;
  }
  .open:focus-visible {
    outline: none;
  }
  .open:focus-visible::after {
    outline: 2px solid var(--accent);
    outline-offset: -3px;
  }
  .body {
    color: var(--ink);
    white-space: pre-line;
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: var(--carillon-lines, 4);
    overflow: hidden;
  }
  time {
    color: var(--soft);
    font-size: 0.87em;
  }
  .actions {
    position: relative;
    z-index: 1;
    display: flex;
    align-self: flex-start;
    color: var(--soft);
  }
`;

const more = css`
  .toasts {
    position: fixed;
    z-index: var(--carillon-toast-layer, 1000);
    inset-block-end: 1rem;
    inset-inline-end: 1rem;
    inline-size: min(22rem, calc(100vw - 2rem));
    display: grid;
    gap: 0.5rem;
  }
  .toast {
    position: relative;
    display: flex;
    gap: 0.5rem;
    padding: 0.7rem 0.75rem;
    background: var(--paper);
    color: var(--ink);
    border: 1px solid var(--line);
    border-inline-start: 4px solid var(--accent);
    border-radius: var(--radius);
    box-shadow: 0 0.4rem 1.5rem rgb(0 0 0 / 25%);
    animation: enter 0.2s ease-out;
  }
  @keyframes enter {
    from {
      opacity: 0;
      transform: translateY(0.5rem);
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .toast {
      animation: none;
    }
  }
  .preferences {
    padding: 0.75rem;
    display: grid;
    gap: 0.75rem;
  }
  fieldset {
    border: 1px solid var(--line);
    border-radius: var(--radius);
    padding: 0.4rem 0.75rem 0.6rem;
    margin: 0;
    min-inline-size: 0;
  }
  legend {
    font-weight: 600;
    padding: 0 0.25rem;
  }
  label {
    display: flex;
    gap: 0.5rem;
    align-items: center;
    min-block-size: 2rem;
  }
  input {
    accent-color: var(--accent);
    inline-size: 1.1rem;
    block-size: 1.1rem;
    margin: 0;
  }
  .note {
    color: var(--soft);
    font-size: 0.87em;
  }
`;

export const contentStyles = [item, more];
