// The four load shapes. Rates are requests per second; arrivals do not wait for responses.

export interface Shape {
  /** Each stage changes the rate evenly from that of the last one to `rate`. The first one starts at its own. */
  stages: readonly { seconds: number; rate: number }[];
  channels: readonly string[];
  /** Open inbox streams. Each request is then for one of their recipients, and its item is waited for. */
  sockets: number;
  /** Upper limits in milliseconds. A run that exceeds one fails. */
  limits: { acceptP95: number; endToEndP95?: number };
}

export const shapes = {
  /** Does the deployment work? */
  smoke: {
    stages: [{ seconds: 15, rate: 2 }],
    channels: ['email', 'in_app'],
    sockets: 0,
    limits: { acceptP95: 75 },
  },
  /** An ordinary day: 5 to 25 per second, then steady. */
  ramp: {
    stages: [
      { seconds: 10, rate: 5 },
      { seconds: 60, rate: 25 },
      { seconds: 60, rate: 25 },
    ],
    channels: ['email', 'in_app'],
    sockets: 0,
    limits: { acceptP95: 75 },
  },
  /** Up to 200 per second, then steady. */
  stress: {
    stages: [
      { seconds: 10, rate: 25 },
      { seconds: 60, rate: 200 },
      { seconds: 60, rate: 200 },
    ],
    channels: ['email', 'in_app'],
    sockets: 0,
    limits: { acceptP95: 75 },
  },
  /** 1,000 open inbox streams; from the request of the sender to the frame at the recipient. */
  sockets: {
    stages: [{ seconds: 60, rate: 50 }],
    channels: ['in_app'],
    sockets: 1_000,
    limits: { acceptP95: 75, endToEndP95: 100 },
  },
} as const satisfies Record<string, Shape>;

/** The seconds after the start at which requests are sent. */
export function arrivalsOf({ stages }: Shape): number[] {
  const arrivals: number[] = [];
  let begin = 0;
  let from = stages[0]!.rate;
  // Requests due so far. Arrivals are where it passes a whole number.
  let due = 0;
  for (const { seconds, rate } of stages) {
    const total = ((from + rate) / 2) * seconds;
    for (let number = Math.ceil(due); number < due + total; number += 1) {
      // The area under the line from `from` to `rate` is number - due at this time.
      const slope = (rate - from) / seconds;
      const area = number - due;
      arrivals.push(begin + (slope === 0 ? area / from : (Math.sqrt(from * from + 2 * slope * area) - from) / slope));
    }
    due += total;
    begin += seconds;
    from = rate;
  }
  return arrivals;
}

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
