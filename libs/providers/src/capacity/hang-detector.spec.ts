import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProviderError } from '#domain';
import { Breaker } from './breaker.js';
import { HangDetector } from './hang-detector.js';

const DEADLINE_MS = 10_000;
const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** An account whose vendor responds after a given time. A send fails at the deadline. */
class Account {
  readonly breaker: Breaker;
  constructor(slots: number | undefined) {
    this.breaker = new Breaker(undefined, new HangDetector({ deadlineMs: DEADLINE_MS, maxInFlight: slots }));
  }

  get isStalled(): boolean {
    return this.breaker.hangs.isStalled;
  }

  send(milliseconds: number): void {
    const work = async (): Promise<void> => {
      await after(Math.min(milliseconds, DEADLINE_MS));
      if (milliseconds > DEADLINE_MS) throw new ProviderError('unknown', 'no answer', { code: 'deadline' });
    };
    this.breaker.run(work).catch(() => undefined);
  }

  sendMany(count: number, milliseconds: number): void {
    for (let send = 0; send < count; send += 1) this.send(milliseconds);
  }
}

const HANGS = Number.POSITIVE_INFINITY;

interface Story {
  name: string;
  slots: number | undefined;
  /** Starts the sends of this second. */
  second(account: Account, second: number): void;
  /** The second in which the account is first stalled, and the one in which its breaker opens; null for never. */
  stalled: number | null;
  open: number | null;
}

const stories: Story[] = [
  {
    name: 'all sends hang from the beginning',
    slots: 10,
    second: (account, second) => second === 0 && account.sendMany(10, HANGS),
    stalled: 5,
    open: 10,
  },
  {
    name: 'all five connections hang, at different times',
    slots: 5,
    second: (account, second) => second < 5 && account.send(HANGS),
    stalled: 7,
    open: 12,
  },
  {
    name: 'a few sends in a hundred slots hang, and the vendor does not respond',
    slots: 100,
    second: (account, second) => second % 10 < 3 && account.send(HANGS),
    stalled: 7,
    open: 12,
  },
  {
    name: 'few sends without a bound hang, and the vendor does not respond',
    slots: undefined,
    second: (account, second) => second % 10 < 3 && account.send(HANGS),
    stalled: 7,
    open: 12,
  },
  {
    name: 'a send every twenty seconds hangs',
    slots: 10,
    second: (account, second) => second % 20 === 0 && account.send(HANGS),
    stalled: null,
    open: 50,
  },
  {
    name: 'half of the slots hang while the others are quick',
    slots: 10,
    second: (account, second) => {
      if (second === 0) account.sendMany(5, HANGS);
      account.sendMany(5, 200);
    },
    stalled: 5,
    open: 10,
  },
  {
    name: 'fewer than half of the slots hang while the others are quick',
    slots: 10,
    second: (account, second) => {
      if (second % 10 === 0) account.sendMany(4, HANGS);
      account.sendMany(6, 200);
    },
    stalled: null,
    open: null,
  },
  {
    name: 'one send of nine seconds among many quick ones',
    slots: 10,
    second: (account, second) => {
      if (second % 10 === 0) account.send(9_000);
      account.sendMany(9, 50);
    },
    stalled: null,
    open: null,
  },
  {
    name: 'one send in a window hangs, the others are quick',
    slots: 5,
    second: (account, second) => account.send(second % 10 === 0 ? HANGS : 50),
    stalled: null,
    open: null,
  },
  {
    name: 'a hiccup: several sends hang at once in a hundred slots, and thousands are answered meanwhile',
    slots: 100,
    second: (account, second) => {
      if (second === 3) account.sendMany(20, HANGS);
      account.sendMany(80, 20);
    },
    stalled: null,
    open: null,
  },
  {
    name: 'a slow vendor that takes four seconds for each, in all slots',
    slots: 5,
    second: (account, second) => second % 4 === 0 && account.sendMany(5, 4_000),
    stalled: null,
    open: null,
  },
  {
    name: 'a very slow vendor that takes nine seconds for each: other accounts come first, but it works',
    slots: 5,
    second: (account, second) => second % 9 === 0 && account.sendMany(5, 8_900),
    stalled: 5,
    open: null,
  },
  { name: 'nothing is sent', slots: 10, second: () => undefined, stalled: null, open: null },
];

describe('an account', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each(stories)('$name: stalled after $stalled s, down after $open s', async (story) => {
    const account = new Account(story.slots);
    let [stalled, open]: (number | null)[] = [null, null];
    for (let second = 0; second <= 60; second += 1) {
      if (open === null) story.second(account, second);
      await vi.advanceTimersByTimeAsync(1);
      if (account.isStalled) stalled ??= second;
      expect(account.breaker.hangs.stalled.aborted).toBe(account.isStalled);
      if (account.breaker.state !== 'closed') open ??= second;
      await vi.advanceTimersByTimeAsync(999);
    }
    expect({ stalled, open }).toEqual({ stalled: story.stalled, open: story.open });
    account.breaker.close();
  });

  it('that hangs is open again when its probe hangs, and works again when a probe is answered', async () => {
    const account = new Account(10);
    account.sendMany(10, HANGS);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS + 5_001);
    expect(account.breaker.state).toBe('half_open');
    account.send(HANGS);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS + 1);
    expect(account.breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(5_001);
    account.send(20);
    await vi.advanceTimersByTimeAsync(21);
    expect([account.breaker.state, account.isStalled]).toEqual(['closed', false]);
    // Earlier hangs no longer count.
    account.sendMany(2, HANGS);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS + 1);
    expect(account.breaker.state).toBe('closed');
    account.breaker.close();
  });

  it('is not stalled by work that never reached it', async () => {
    const account = new Account(3);
    const halted = async (): Promise<never> => {
      await after(9_000);
      throw new Error('the claim was lost');
    };
    for (let send = 0; send < 3; send += 1) account.breaker.run(halted).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(9_001);
    expect([account.breaker.state, account.isStalled]).toEqual(['closed', false]);
    account.breaker.close();
  });
});
