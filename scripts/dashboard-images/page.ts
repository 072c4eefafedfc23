// The page of a dashboard: its panels in Grafana's grid.

import { colourOf, sparkline, timeSeriesChart } from './charts.ts';
import type { DrawnDashboard, DrawnPanel, Period } from './read-dashboard.ts';
import { scaleOf, show } from './units.ts';

export const WIDTH = 1_600;
const MARGIN = 16;
const COLUMNS = 24;
/** Grafana's: the height of a unit and the space between panels. */
const [UNIT, GAP] = [30, 8];
const TITLE_HEIGHT = 34;
const LEGEND_LINE = 20;
/** Of the legend's font, on average, and of the mark before a name with the space after it. */
const [CHARACTER_WIDTH, MARK_WIDTH] = [6.4, 34];

const STYLE = `
  * { box-sizing: border-box; margin: 0; padding: 0; }
  body { width: ${WIDTH}px; padding: ${MARGIN}px; background: #111217; color: #ccccdc; font: 13px/1.4 Inter, Roboto, 'Noto Sans',
    'DejaVu Sans', sans-serif; }
  header { display: flex; align-items: baseline; gap: 16px; margin-bottom: 14px; }
  h1 { font-size: 20px; font-weight: 500; }
  header p { color: #9fa0a8; }
  header p:last-child { margin-left: auto; }
  main { display: grid; grid-template-columns: repeat(${COLUMNS}, 1fr); grid-auto-rows: ${UNIT}px; gap: ${GAP}px; }
  section { position: relative; overflow: hidden; background: #181b1f; border: 1px solid #2a2d33; border-radius: 3px; }
  section.row { background: none; border: none; padding-top: 5px; }
  section.row h2 { font-size: 15px; height: auto; padding: 0; }
  h2 { height: ${TITLE_HEIGHT}px; padding: 8px 12px 0; font-size: 14px; font-weight: 500; white-space: nowrap; }
  ul { padding: 0 12px; list-style: none; font-size: 12px; line-height: ${LEGEND_LINE}px; color: #b8b9c4; }
  li { display: inline-block; margin-right: 14px; white-space: nowrap; }
  i { display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin: 0 6px 2px 0; }
  svg { display: block; }
  .value { position: absolute; inset: ${TITLE_HEIGHT - 4}px 0 auto; text-align: center; font-size: 34px; font-weight: 500; }
  .spark { position: absolute; inset: auto 0 0; }
  .none { display: grid; place-items: center; height: 60%; color: #9fa0a8; }`;

export function pageOf({ title, description, panels }: DrawnDashboard, period: Period): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><style>${STYLE}</style>
    <header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(description)}</p><p>${timesOf(period)}</p></header>
    <main>${panels.map((panel) => sectionOf(panel, period)).join('\n')}</main></html>`;
}

function sectionOf(panel: DrawnPanel, period: Period): string {
  const { x, y, w, h } = panel.position;
  const place = `grid-column: ${x + 1} / span ${w}; grid-row: ${y + 1} / span ${h}`;
  const content = { row: () => '', stat: statOf, timeseries: timeSeriesOf }[panel.type](panel, period);
  return `<section class="${panel.type}" style="${place}"><h2>${escapeHtml(panel.title)}</h2>${content}</section>`;
}

function statOf(panel: DrawnPanel, period: Period): string {
  const last = panel.series.at(0)?.points.findLast(([, value]) => value !== null)?.[1];
  if (last === undefined || last === null) return '<p class="none">No data</p>';
  const { width, height } = insideOf(panel);
  const line = sparkline(panel, period, { width, height: height / 2 - TITLE_HEIGHT / 2 });
  return `<p class="value">${show(last, scaleOf(panel.unit, last))}</p><div class="spark">${line}</div>`;
}

function timeSeriesOf(panel: DrawnPanel, period: Period): string {
  if (panel.series.length === 0) return '<p class="none">No data</p>';
  const { width, height } = insideOf(panel);
  const legend = legendLines(panel, width - 24) * LEGEND_LINE;
  const chart = timeSeriesChart(panel, period, { width, height: height - TITLE_HEIGHT - legend - 8 });
  const names = panel.series.map(
    ({ name }, index) => `<li><i style="background: ${colourOf(index)}"></i>${escapeHtml(name)}</li>`,
  );
  return `${chart}<ul style="height: ${legend}px">${names.join('')}</ul>`;
}

/** The size of a panel without its border. */
function insideOf({ position: { w, h } }: DrawnPanel): { width: number; height: number } {
  const column = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
  return { width: w * column + (w - 1) * GAP - 2, height: h * UNIT + (h - 1) * GAP - 2 };
}

function legendLines({ series }: DrawnPanel, width: number): number {
  let [lines, used] = [1, 0];
  for (const { name } of series) {
    const needed = name.length * CHARACTER_WIDTH + MARK_WIDTH;
    if (used > 0 && used + needed > width) [lines, used] = [lines + 1, 0];
    used += needed;
  }
  return lines;
}

function timesOf({ start, end }: Period): string {
  const time = (seconds: number): string => new Date(seconds * 1_000).toISOString().slice(11, 19);
  return `${time(start)} to ${time(end)} UTC`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
