// Makes the data of a tenant that only the API can make, because its secrets are sealed.

/** A request with the tenant's API key. */
type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;

const CHANNELS = ['email', 'sms', 'push', 'chat'];
const ENDPOINTS = 3;

/** One sandbox account for each channel, and some webhook endpoints. */
export async function makeSealed(call: Call): Promise<void> {
  const make = async (path: string, body: unknown): Promise<void> => {
    const answer = await call('POST', path, body);
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  for (const channel of CHANNELS)
    await make('/api/v1/provider-accounts', {
      name: `Sandbox ${channel}`,
      provider: 'sandbox',
      channel,
      credentials: {},
    });
  for (let n = 1; n <= ENDPOINTS; n += 1)
    await make('/api/v1/webhooks', {
      url: `https://example.com/hooks/${n}`,
      events: ['delivery.sent', 'delivery.failed'],
      description: `Endpoint ${n}`,
    });
}
