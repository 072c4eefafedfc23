const FIRST_MS = 500;
const MAX_MS = 30_000;

/** Half of it is random, so that clients do not come back at the same moment. `attempt` begins with 0. */
export function backoffMs(attempt: number): number {
  const ms = Math.min(MAX_MS, FIRST_MS * 2 ** attempt);
  return ms / 2 + Math.random() * (ms / 2);
}

export async function delay(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
