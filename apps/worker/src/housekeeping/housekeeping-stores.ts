import { Inject, Injectable } from '@nestjs/common';
import {
  AuditRetentionStore,
  CountDeliveriesStore,
  DueDeliveriesStore,
  ErasuresStore,
  EventsStore,
  ExpiredRowsStore,
  MailboxStore,
  OperationsStore,
  PartitionsStore,
  PolicyChangesStore,
  QueueFiguresStore,
  ReceiptsStore,
  RetentionStore,
} from '#database';
import { OutcomeSpool } from '../delivery/outcome-spool.js';

/** The stores that have maintenance tasks. */
@Injectable()
export class HousekeepingStores {
  @Inject() readonly due!: DueDeliveriesStore;
  @Inject() readonly erasures!: ErasuresStore;
  @Inject() readonly events!: EventsStore;
  @Inject() readonly operations!: OperationsStore;
  @Inject() readonly partitions!: PartitionsStore;
  @Inject() readonly queue!: QueueFiguresStore;
  @Inject() readonly policyChanges!: PolicyChangesStore;
  @Inject() readonly mailbox!: MailboxStore;
  @Inject() readonly receipts!: ReceiptsStore;
  @Inject() readonly retention!: RetentionStore;
  @Inject() readonly auditRetention!: AuditRetentionStore;
  @Inject() readonly counts!: CountDeliveriesStore;
  @Inject() readonly expired!: ExpiredRowsStore;
  @Inject() readonly spool!: OutcomeSpool;
}
