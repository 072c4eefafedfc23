import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.js';

let started: Promise<OtlpReceiver> | undefined;

/** The collector of all processes that this test file starts. It ends with the process of the test file. */
export async function collector(): Promise<OtlpReceiver> {
  started ??= startOtlpReceiver();
  return await started;
}
