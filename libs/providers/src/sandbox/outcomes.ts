import { ProviderError, type ReceiptKind } from '#domain';

/** Simulated outcomes by the word in an address or the last four digits of a number (docs/delivery-states.md). */
const simulations = {
  ok: { number: '0000', run: accepted('delivered') },
  bounce: { number: '0001', run: accepted('bounced') },
  complaint: { number: '0002', run: accepted('complained') },
  'bad-address': {
    number: '0003',
    run: refused('bad_address', 'simulated_bad_address', 'Simulated: the address is refused'),
  },
  rejected: {
    number: '0004',
    run: refused('rejected', 'simulated_rejected', 'Simulated: the content is refused'),
  },
  throttled: { number: '0005', run: throttled },
  flaky: { number: '0006', run: flaky },
  down: { number: '0007', run: refused('transient', 'simulated_down', 'Simulated: the vendor is down') },
  unknown: { number: '0008', run: hangs },
  slow: { number: '0009', run: slow },
} as const;

export type Simulation = keyof typeof simulations;

interface SimulatedAttempt {
  attempt: number;
  signal: AbortSignal;
}

/**
 * The outcome to simulate for an address, or null to accept the message. Reads the local part of an address at
 * `simulator.test`, the last digits of a number that begins with +1500555, or a whole device token or recipient id.
 */
export function simulationFor(address: string): Simulation | null {
  const mail = /^([^@]+)@simulator\.test$/i.exec(address)?.[1]?.toLowerCase();
  const digits = /^\+1500555(\d{4})$/.exec(address)?.[1];
  for (const [word, { number }] of Object.entries(simulations)) {
    if (mail === word || address === word || digits === number) return word as Simulation;
  }
  return null;
}

/**
 * Returns the receipt that a vendor would send later, if there is one. Throws the error that a vendor's response would
 * cause.
 */
export async function simulate(simulation: Simulation, attempt: SimulatedAttempt): Promise<ReceiptKind | undefined> {
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

async function throttled({ attempt }: SimulatedAttempt): Promise<undefined> {
  if (attempt === 1)
    throw new ProviderError('throttled', 'Simulated: too many requests, retry after 2 seconds', {
      code: 'simulated_throttled',
      retryAfterSeconds: 2,
    });
  return undefined;
}

async function flaky({ attempt }: SimulatedAttempt): Promise<undefined> {
  if (attempt <= 2)
    throw new ProviderError('transient', 'Simulated: the first two attempts fail', { code: 'simulated_flaky' });
  return undefined;
}

function hangs({ signal }: SimulatedAttempt): Promise<undefined> {
  return new Promise((_, reject) => {
    signal.addEventListener(
      'abort',
      () =>
        reject(
          new ProviderError('unknown', 'Simulated: no response before the deadline', {
            code: 'simulated_timeout',
          }),
        ),
      { once: true },
    );
  });
}

function slow({ signal }: SimulatedAttempt): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), 2_000);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(
          new ProviderError('unknown', 'Simulated: the deadline passed before the response after two seconds', {
            code: 'simulated_timeout',
          }),
        );
      },
      { once: true },
    );
  });
}
