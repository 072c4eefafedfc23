/**
 * The longest that `work` held this thread's event loop at once, in milliseconds of processor time: what else the machine
 * does is not counted. Rejects when `work` does.
 */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last);
    longest = Math.max(longest, (user + system) / 1_000);
    last = process.threadCpuUsage();
  };
  const looking = setInterval(look, 1);
  try {
    await work();
  } finally {
    look();
    clearInterval(looking);
  }
  return longest;
}
