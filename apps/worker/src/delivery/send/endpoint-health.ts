import { Injectable } from '@nestjs/common';
import { WebhookEndpointsStore } from '#database';
import { ProviderDirectory, type Sender } from '#providers';
import { instruments } from '#telemetry';
import type { ProviderResult } from './call-provider.js';

/** Records the health of webhook endpoints. An endpoint that answers 410, or fails for days, is switched off. */
@Injectable()
export class EndpointHealth {
  constructor(
    private readonly endpoints: WebhookEndpointsStore,
    private readonly directory: ProviderDirectory,
  ) {}

  /** Notes the result of one attempt. Returns whether the endpoint is switched off now. */
  async note(sender: Sender, { refused }: ProviderResult): Promise<boolean> {
    const { tenantId, id } = sender.account!;
    try {
      if (!refused) {
        if (sender.lastSendFailed) await this.endpoints.succeeded(tenantId, id);
        sender.lastSendFailed = false;
        return false;
      }
      sender.lastSendFailed = true;
      const isOff = await this.endpoints.failed(tenantId, id, refused.code === '410');
      if (isOff) {
        this.directory.invalidate(tenantId);
        instruments().endpointsDisabled.add(1);
      }
      return isOff;
    } catch {
      // The attempt must be recorded even if its endpoint's health is not. The next attempt notes the health again.
      sender.lastSendFailed = true;
      return false;
    }
  }
}
