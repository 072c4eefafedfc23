import { Injectable } from '@nestjs/common';
import { RecipientsStore } from '#database';
import { atLocalTime, firstTimezone, type RecipientPart, recipientIdOf, type SharedPart } from '#domain';
import type { Caller } from '../access/access.js';

type Tenant = Pick<Caller, 'tenantId' | 'settings'>;

/** Times on the clocks of recipients. */
@Injectable()
export class LocalTimes {
  constructor(private readonly recipients: RecipientsStore) {}

  /**
   * The instant of `scheduled_at_local` for each item. Empty, without a statement, if the request has no local time.
   */
  async of(
    tenant: Tenant,
    { scheduled_at_local: local }: SharedPart,
    items: readonly RecipientPart[],
  ): Promise<Date[]> {
    if (local === undefined) return [];
    const instants = new Map<string, Date>();
    return (await this.zonesOf(tenant, items)).map((zone) => {
      const instant = instants.get(zone) ?? atLocalTime(local, zone);
      instants.set(zone, instant);
      return instant;
    });
  }

  /** The time zone of the recipient of each item. The profile in the item has precedence over the stored one. */
  async zonesOf({ tenantId, settings }: Tenant, items: readonly RecipientPart[]): Promise<string[]> {
    const stored = await this.storedZones(tenantId, items);
    return items.map((item) =>
      firstTimezone(item.recipient?.timezone, stored.get(recipientIdOf(item)), settings.timezone),
    );
  }

  private async storedZones(tenantId: string, items: readonly RecipientPart[]): Promise<Map<string, string>> {
    const needed = items.filter(({ recipient }) => !recipient?.timezone).map(recipientIdOf);
    return needed.length === 0 ? new Map() : await this.recipients.timezones(tenantId, needed);
  }
}

/** The request with the instant of its local time as the time of sending. */
export function scheduledFor<Part extends SharedPart>(shared: Part, localTime: Date | undefined): Part {
  return localTime ? { ...shared, scheduled_at: localTime.toISOString() } : shared;
}
