/**
 * Calls `stop` at SIGTERM or SIGINT and exits: with 0 when it resolves, with 1 after `onFault` when it rejects. A
 * second signal exits at once with 1.
 */
export function stopOnSignal(stop: () => Promise<void>, onFault: (error: unknown) => void): void {
  let stopping = false;
  const begin = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        onFault(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', begin);
  process.on('SIGINT', begin);
}
