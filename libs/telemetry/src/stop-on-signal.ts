/**
 * Stops a process at SIGTERM or SIGINT and ends it: 0 when the stop went well, 1 when it did not. A second signal means now.
 * `onFault` is told what went wrong.
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
