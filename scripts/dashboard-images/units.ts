// Values as Grafana shows them in the units of our dashboards.

export interface Scale {
  /** A value is divided by it. */
  size: number;
  suffix: string;
}

export function show(value: number, { size, suffix }: Scale): string {
  return `${digits(value / size)}${suffix}`;
}

/** The scale of an axis or of a single value, which its largest value decides. */
export function scaleOf(unit: string, largest: number): Scale {
  if (unit === 's') return durationOf(largest);
  if (unit === 'percentunit') return { size: 0.01, suffix: '%' };
  const suffix = { ops: ' ops/s', d: ' days' }[unit] ?? '';
  return largest >= 1_000 ? { size: 1_000, suffix: ` K${suffix}` } : { size: 1, suffix };
}

function durationOf(largest: number): Scale {
  if (largest < 0.001) return { size: 1e-6, suffix: ' µs' };
  if (largest < 1) return { size: 0.001, suffix: ' ms' };
  if (largest < 120) return { size: 1, suffix: ' s' };
  return { size: 60, suffix: ' min' };
}

/** Three significant digits, without zeros at the end. */
function digits(value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}
