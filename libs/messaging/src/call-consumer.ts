/** A handler as Nest registers it for a message pattern. It returns a promise, an observable, or a promise of one. */
export type Consumer = (batch: never) => unknown;

/** Calls a Nest message handler and waits until it has finished. Rejects with its error. */
export async function callConsumer(consumer: Consumer, batch: unknown): Promise<void> {
  const result = await consumer(batch as never);
  if (!isObservable(result)) return;
  await new Promise<void>((resolve, reject) => result.subscribe({ error: reject, complete: resolve }));
}

interface ObservableLike {
  subscribe(observer: { error: (error: Error) => void; complete: () => void }): unknown;
}

function isObservable(value: unknown): value is ObservableLike {
  return typeof value === 'object' && value !== null && typeof (value as ObservableLike).subscribe === 'function';
}
