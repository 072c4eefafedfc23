import { svg, type TemplateResult } from 'lit';

/** 24 × 24, in the colour of the text. */
const icon = (path: string): TemplateResult => svg`<svg viewBox="0 0 24 24" width="20" height="20" fill="none"
  stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d=${path}></path></svg>`;

export const bellIcon = icon('M6 9a6 6 0 0 1 12 0c0 6 2 7 2 7H4s2-1 2-7M10 20a2 2 0 0 0 4 0');
export const settingsIcon = icon('M4 7h10M18 7h2M4 17h2M10 17h10M14 5v4M8 15v4');
export const readAllIcon = icon('M3 13l4 4 8-9M12 16l1 1 8-9');
export const readIcon = icon('M5 13l4 4L19 7');
export const unreadIcon = icon('M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z');
export const archiveIcon = icon('M4 4h16v4H4zM6 8v12h12V8M10 12h4');
export const unarchiveIcon = icon('M4 4h16v4H4zM6 8v12h12V8M12 18v-6M9 15l3-3 3 3');
export const closeIcon = icon('M6 6l12 12M18 6L6 18');
/** Points against the direction of the text. */
export const backIcon = svg`<svg class="back" viewBox="0 0 24 24" width="20" height="20" fill="none"
  stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M15 5l-7 7 7 7"></path></svg>`;
