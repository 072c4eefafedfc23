import { ProviderError, type ReceiptKind } from '#domain';

/** What the sandbox pretends, by the word in an address or the last four digits of a number (providers.md). */
const simulations = {
  ok: { number: '0000', run: accepted('delivered') },
  bounce: { number: '0001', run: accepted('bounced') },
  complaint: { number: '0002', run: accepted('complained') },
  'bad-address': {
    number: '0003',
    run: refused('bad_address', 'simulated_bad_address', 'The sandbox refuses this address, as asked'),
  },
  rejected: {
    number: '0004',
    run: refused('rejected', 'simulated_rejected', 'The sandbox refuses this content, as asked'),
  },
  throttled: { number: '0005', run: throttled },
  flaky: { number: '0006', run: flaky },
  down: { number: '0007', run: refused('transient', 'simulated_down', 'The sandbox is down, as asked') },
  unknown: { number: '0008', run: hangs },
  slow: { number: '0009', run: slow },
} as const;

export type Simulation = keyof typeof simulations;

interface Try {
  attempt: number;
  signal: AbortSignal;
}

/**
 * What is to be simulated for an address, or null for plain acceptance: the local part of an address at
 * `simulator.test`, the end of a number that begins +1500555, or a whole device token or recipient id.
 */
export function simulationFor(address: string): Simulation | null {
  const mail = /^([^@]+)@simulator\.test$/i.exec(address)?.[1]?.toLowerCase();
  const digits = /^\+1500555(\d{4})$/.exec(address)?.[1];
  for (const [word, { number }] of Object.entries(simulations)) {
    if (mail === word || address === word || digits === number) return word as Simulation;
  }
  return null;
}

/** Plays it. Returns the receipt a vendor would send later, if any; throws what a vendor would answer. */
export async function simulate(simulation: Simulation, attempt: Try): Promise<ReceiptKind | undefined> {
  return await simulations[simulation].run(attempt);
}

function accepted(receipt: ReceiptKind) {
  return async (): Promise<ReceiptKind> => receipt;
}

function refused(kind: 'bad_address' | 'rejected' | 'transient', code: string, message: string) {
  return async (): Promise<undefined> => {
    throw new ProviderError(kind, message, { code });
  };
}

async function throttled({ attempt }: Try): Promise<undefined> {
  if (attempt === 1)
    throw new ProviderError('throttled', 'The sandbox asks for 2 seconds, as asked', {
      code: 'simulated_throttled',
      retryAfterSeconds: 2,
    });
  return undefined;
}

async function flaky({ attempt }: Try): Promise<undefined> {
  if (attempt <= 2)
    throw new ProviderError('transient', 'The sandbox fails twice, as asked', { code: 'simulated_flaky' });
  return undefined;
}

function hangs({ signal }: Try): Promise<undefined> {
  return new Promise((_, reject) => {
    signal.addEventListener(
      'abort',
      () =>
        reject(
          new ProviderError('unknown', 'The sandbox did not answer before the deadline, as asked', {
            code: 'simulated_timeout',
          }),
        ),
      { once: true },
    );
  });
}

function slow({ signal }: Try): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), 2_000);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(
          new ProviderError('unknown', 'The deadline was over before the two seconds of the sandbox', {
            code: 'simulated_timeout',
          }),
        );
      },
      { once: true },
    );
  });
}
