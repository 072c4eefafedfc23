/** What Nest keeps for a message pattern: it may answer with a promise, an observable, or a promise of one. */
export type Consumer = (batch: never) => unknown;

/** Calls a Nest message handler and waits until it has ended. Rejects with what it throws. */
export async function callConsumer(consumer: Consumer, batch: unknown): Promise<void> {
  const answer = await consumer(batch as never);
  if (!isObservable(answer)) return;
  await new Promise<void>((resolve, reject) => answer.subscribe({ error: reject, complete: resolve }));
}

interface ObservableLike {
  subscribe(observer: { error: (error: Error) => void; complete: () => void }): unknown;
}

function isObservable(value: unknown): value is ObservableLike {
  return typeof value === 'object' && value !== null && typeof (value as ObservableLike).subscribe === 'function';
}
