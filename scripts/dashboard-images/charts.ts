// Draws panels as SVG, in the colours of Grafana's dark theme.

import { init } from 'echarts';
import type { DrawnPanel, Period } from './read-dashboard.ts';
import { type Scale, scaleOf } from './units.ts';

/** Grafana's classic palette. */
const PALETTE = [
  ...['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9'],
  ...['#8ab8ff', '#fade2a', '#96d98d', '#ffb357', '#ff7383', '#ca95e5'],
  ...['#3274d9', '#e0b400', '#37872d', '#fa6400', '#c4162a', '#8f3bb8'],
];
const TEXT = { color: '#9fa0a8', fontFamily: 'sans-serif', fontSize: 11.5 };
const GRID_LINE = { show: true, lineStyle: { color: '#2a2d33' } };
const FILL_OPACITY = 0.1;

export interface Size {
  width: number;
  height: number;
}

export function colourOf(index: number): string {
  return PALETTE[index % PALETTE.length] ?? '';
}

export function timeSeriesChart(panel: DrawnPanel, { start, end }: Period, size: Size): string {
  const largest = Math.max(0, ...panel.series.flatMap(({ points }) => points.map(([, value]) => value ?? 0)));
  const scale = scaleOf(panel.unit, largest);
  return toSvg(size, {
    grid: { left: 14, right: 18, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: start * 1_000,
      max: end * 1_000,
      axisLabel: { ...TEXT, hideOverlap: true, formatter: '{HH}:{mm}' },
      minInterval: 60_000,
      maxInterval: 60_000,
      axisLine: { lineStyle: { color: '#44474d' } },
      axisTick: { show: false },
      splitLine: GRID_LINE,
    },
    yAxis: valueAxis(panel, largest, scale),
    series: panel.series.map(({ name, points }, index) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { width: 1.5 },
      areaStyle: { opacity: FILL_OPACITY },
      color: colourOf(index),
      data: points.map(([seconds, value]) => [seconds * 1_000, value === null ? null : value / scale.size]),
    })),
  });
}

/** The axis has the unit of the scale, so that its marks are round numbers in this unit. */
function valueAxis({ unit, max }: DrawnPanel, largest: number, { size, suffix }: Scale): object {
  const top = max ?? (largest === 0 ? 1 : undefined);
  return {
    type: 'value',
    min: 0,
    ...(top !== undefined && { max: top / size, interval: top / size / 4 }),
    // Whole numbers for what is counted.
    ...(unit === 'short' && { minInterval: 1, ...(top !== undefined && { interval: 1 }) }),
    splitNumber: 4,
    axisLabel: { ...TEXT, formatter: `{value}${suffix}` },
    splitLine: GRID_LINE,
  };
}

/** The line under a single value. */
export function sparkline({ series }: DrawnPanel, { start, end }: Period, size: Size): string {
  return toSvg(size, {
    grid: { left: 0, right: 0, top: 4, bottom: 0 },
    xAxis: { type: 'time', show: false, min: start * 1_000, max: end * 1_000 },
    yAxis: { type: 'value', show: false, min: 0 },
    series: series.map(({ points }) => ({
      type: 'line',
      showSymbol: false,
      lineStyle: { width: 1.5 },
      areaStyle: { opacity: 2 * FILL_OPACITY },
      color: '#8ab8ff',
      data: points.map(([seconds, value]) => [seconds * 1_000, value]),
    })),
  });
}

function toSvg({ width, height }: Size, option: object): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({ animation: false, useUTC: true, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
