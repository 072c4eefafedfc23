import { Carillon, CarillonError, type Problem } from '#client';

/** Tells the API that the cookie of this request was sent by the console, and not because of another site's page. */
const FROM_CONSOLE = 'X-Carillon-Console';
const TENANT = 'X-Carillon-Tenant';

/**
 * A client with the session's cookie. `tenantId` is the tenant whose data an operator looks at; null for the session of
 * a tenant's key, which names its tenant, and for the operator's own routes.
 */
export function connect(tenantId: string | null): Carillon {
  return new Carillon({
    url: location.origin,
    // People wait for these answers: a failure is shown soon, with a button to try again.
    maxRetries: 1,
    timeoutMs: 15_000,
    fetch: (request) => fetch(withHeaders(request, tenantId)),
  });
}

/** For answers that the client does not read, such as downloads. Throws `CarillonError`, as the client does. */
export async function requestWithoutLimit(request: Request, tenantId: string | null): Promise<Response> {
  const response = await fetch(withHeaders(request, tenantId)).catch((error: Error) => {
    if (request.signal.aborted) throw error;
    throw new CarillonError({ code: 'network_error', detail: error.message, cause: error });
  });
  if (response.ok) return response;
  const { status } = response;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const { code = 'unexpected_answer', detail = `status ${status}`, errors, request_id: requestId } = problem;
  throw new CarillonError({ code, detail, status, errors, requestId });
}

/** Adds the headers that a request with the session's cookie needs. */
export function withHeaders(request: Request, tenantId: string | null): Request {
  request.headers.set(FROM_CONSOLE, '1');
  if (tenantId !== null) request.headers.set(TENANT, tenantId);
  return request;
}
