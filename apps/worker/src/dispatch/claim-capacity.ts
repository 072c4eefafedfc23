import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import type { ClaimedDelivery } from '#database';
import type { ChannelId } from '#domain';
import type { DeliveryTransport } from '#messaging';
import { type Capacity, ProviderDirectory } from '#providers';
import { LockedAccounts } from '../delivery/locked-accounts.js';
import { CONFIG, TRANSPORT } from '../tokens.js';

/**
 * A claim of less than this share of a capacity costs a statement for few deliveries; more capacity comes back soon.
 */
export const MIN_CLAIM_SHARE = 0.25;
/** One tenant holds at most this share of a channel's concurrency while others have work. */
const TENANT_SHARE = 0.5;

export interface CapacityInput {
  /** Deliveries that this worker holds now, by tenant. */
  inFlight: ReadonlyMap<string, number>;
  /** Capacity of the tenants whose provider accounts cannot take everything now. */
  limited: ReadonlyMap<string, Capacity>;
  /** How many deliveries this worker holds at most on the channel. */
  concurrency: number;
}

/** How many more deliveries may be claimed now, by tenant. A tenant without an entry has no limit of its own. */
export function remainingCapacity({ inFlight, limited, concurrency }: CapacityInput): Map<string, number> {
  const capacities = new Map<string, number>();
  for (const [tenant, { total, available }] of limited) {
    // Deliveries in flight may not have reached their account yet, so both limits apply. Empty with Kafka.
    const remaining = Math.min(available, total - (inFlight.get(tenant) ?? 0));
    capacities.set(tenant, remaining < total * MIN_CLAIM_SHARE ? 0 : remaining);
  }
  const tenantLimit = Math.max(1, Math.floor(concurrency * TENANT_SHARE));
  if (inFlight.size > 1) for (const [tenant, count] of inFlight) if (count >= tenantLimit) capacities.set(tenant, 0);
  return capacities;
}

/** Reads the capacity of this worker's provider accounts and transport. */
@Injectable()
export class ClaimCapacity {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'concurrency'>,
    @Inject(TRANSPORT) private readonly transport: Pick<DeliveryTransport<ClaimedDelivery>, 'inFlight'>,
    private readonly directory: ProviderDirectory,
    private readonly locked: LockedAccounts,
  ) {}

  remainingOf(channel: ChannelId): Map<string, number> {
    const limited = new Map([...this.directory.tenantCapacity.limitsOf(channel), ...this.locked.capacitiesOf(channel)]);
    const concurrency = this.config.concurrency[channel];
    return remainingCapacity({ inFlight: this.transport.inFlight(channel), limited, concurrency });
  }
}
