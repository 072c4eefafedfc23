import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize, useMergedRef } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { COLOURS, inUnit, type Series, type Unit } from './series';

interface PlotProps {
  times: readonly string[];
  series: readonly Series[];
  unit: Unit;
  /** Pixels. */
  height: number;
  /** Read by screen readers in place of the lines. */
  summary: string;
  /** Gets the index of the interval under the pointer. */
  point: (index: number | null) => void;
}

const GRID = { light: '#e9ecef', dark: '#3b3b3b' };
const TEXT = { light: '#495057', dark: '#c9c9c9' };

/** The lines of a chart. In a file of its own, so that uPlot is loaded with the first chart only. */
export default function Plot({ times, series, unit, height, summary, point }: PlotProps) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const { ref, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const hostRef = useMergedRef(ref, host);
  const plot = useRef<uPlot | null>(null);
  const labels = series.map(({ label }) => label).join('\n');

  // biome-ignore lint/correctness/useExhaustiveDependencies: new values and widths change the plot that exists.
  useEffect(() => {
    if (width === 0 || host.current === null) return;
    plot.current = new uPlot(
      optionsOf({ series, unit, width, height, scheme, point }),
      dataOf(times, series),
      host.current,
    );
    return () => {
      plot.current?.destroy();
      plot.current = null;
    };
  }, [width === 0, scheme, labels, unit, height]);
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);
  useEffect(() => plot.current?.setData(dataOf(times, series)), [times, series]);

  return <div ref={hostRef} role="img" aria-label={summary} style={{ height, minWidth: 0, overflow: 'hidden' }} />;
}

function dataOf(times: readonly string[], series: readonly Series[]): uPlot.AlignedData {
  return [times.map((at) => Date.parse(at) / 1_000), ...series.map(({ values }) => [...values])];
}

interface Look extends Pick<PlotProps, 'series' | 'unit' | 'height' | 'point'> {
  width: number;
  scheme: 'light' | 'dark';
}

function optionsOf({ series, unit, width, height, scheme, point }: Look): uPlot.Options {
  const axis = { stroke: TEXT[scheme], grid: { stroke: GRID[scheme], width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false } },
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(max, 1) * 1.1] } },
    axes: [axis, { ...axis, size: 60, values: (_plot, ticks) => ticks.map((tick) => inUnit(tick, unit)) }],
    series: [
      {},
      ...series.map(({ label }, index) => {
        const { line, dash } = COLOURS[index % COLOURS.length]!;
        return { label, stroke: line, width: 2, dash: [...dash], spanGaps: true, points: { show: false } };
      }),
    ],
  };
}
