import { watchText } from '../canary/process-texts.js';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.js';

let started: Promise<OtlpReceiver> | undefined;

/** The collector of all processes that this test file starts. It ends with the process of the test file. */
export async function collector(): Promise<OtlpReceiver> {
  started ??= startWatched();
  return await started;
}

async function startWatched(): Promise<OtlpReceiver> {
  const receiver = await startOtlpReceiver();
  watchText('the traces', receiver.text);
  return receiver;
}
