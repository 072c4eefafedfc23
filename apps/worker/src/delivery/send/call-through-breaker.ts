import { ProviderError } from '#domain';
import type { Sender } from '#providers';
import type { ProviderResult } from './call-provider.js';

export interface ProviderCall {
  /** The number of the attempt: 1 for the first. */
  attempt: number;
  durationMs: number;
  result: ProviderResult;
}

/** Reports a refusal to the breaker, which counts thrown errors, and returns the call to this file. */
class RefusedCall extends ProviderError {
  constructor(
    readonly call: ProviderCall,
    { kind, message, code }: ProviderError,
  ) {
    super(kind, message, { code });
  }
}

/**
 * Makes the call through the breaker of its account, which counts refusals that are the account's fault. Throws what
 * `work` throws, and BreakerOpen before `work` begins.
 */
export async function callThroughBreaker(sender: Sender, work: () => Promise<ProviderCall>): Promise<ProviderCall> {
  // The sandbox that stands in for an account fails only on request, so it has no breaker.
  if (!sender.account) return await work();
  try {
    return await sender.breaker.run(async () => {
      const call = await work();
      if (call.result.refused) throw new RefusedCall(call, call.result.refused);
      return call;
    });
  } catch (error) {
    if (error instanceof RefusedCall) return error.call;
    throw error;
  }
}
