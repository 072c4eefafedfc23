/**
 * The longest time for which `work` blocked this thread's event loop, in milliseconds of processor time, so that other
 * load of the machine does not count. Rejects when `work` rejects.
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
