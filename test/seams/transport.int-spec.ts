// The contract of a delivery transport, held by both; and what the one over Kafka owes besides.

import kafkajs from 'kafkajs';
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest';
import { channelIds, newId } from '#domain';
import {
  type DeliveryBatch,
  type DeliveryClaim,
  type DeliveryTransport,
  DirectTransport,
  deliveriesPattern,
  KafkaTransport,
  makeKafka,
  type PoisonMessage,
  Topics,
} from '#messaging';
import { until } from '#testing';

type Channel = (typeof channelIds)[number];
const each = (count: number) =>
  Object.fromEntries(channelIds.map((channel) => [channel, count])) as Record<Channel, number>;

interface Made {
  transport: DeliveryTransport<DeliveryClaim>;
  handle(pattern: string, consumer: (batch: DeliveryBatch<DeliveryClaim>) => Promise<void>): void;
  faults: string[];
  start(): Promise<void>;
  close(): Promise<void>;
}

const tenantId = newId();
const delivery = (channel: Channel = 'email', messageKey = newId()): DeliveryClaim => ({
  tenantId,
  deliveryId: newId(),
  channel,
  claimId: newId(),
  attempt: 0,
  sending: false,
  messageKey,
});

/** Stands for the database: the claims that are published and not done are valid. */
const claims = new Map<string, DeliveryClaim>();
const poisoned: PoisonMessage[] = [];
const kafka = await makeKafka({
  brokers: inject('kafkaBrokers').split(','),
  tls: undefined,
  sasl: undefined,
  clientId: 'test',
  onLog: () => undefined,
});

function overKafka(prefix: string, concurrency: Record<Channel, number>, channels: Channel[] = ['email', 'sms']): Made {
  const faults: string[] = [];
  const transport = new KafkaTransport<DeliveryClaim>({
    kafka,
    prefix,
    partitions: 2,
    channels,
    concurrency,
    sessionMs: 6_000,
    confirm: async (tickets) =>
      tickets.map(({ deliveryId, claimId }) => {
        const claim = claims.get(deliveryId);
        return claim?.claimId === claimId ? claim : null;
      }),
    headersOf: () => undefined,
    onReceived: () => undefined,
    notePoison: async (message) => void poisoned.push(message),
    onFault: (error, what) => faults.push(`${what}: ${error.message}`),
  });
  return {
    transport,
    faults,
    handle: (pattern, consumer) => transport.addHandler(pattern, consumer as never),
    start: async () => {
      transport.listen(() => undefined);
      await until('there is room', () => channels.every((channel) => transport.capacity(channel) > 0), 30_000);
      await until('all have partitions', () => transport.readiness().status === 'ok', 30_000);
    },
    close: async () => {
      await transport.drain();
      await transport.close();
    },
  };
}

const transports: Record<string, (concurrency: Record<Channel, number>) => Made> = {
  'in one process': (concurrency) => {
    const faults: string[] = [];
    const transport = new DirectTransport<DeliveryClaim>(concurrency, (error) => faults.push(error.message));
    return {
      transport,
      faults,
      handle: (pattern, consumer) => transport.addHandler(pattern, consumer as never),
      start: async () => undefined,
      close: () => transport.drain(),
    };
  },
  'over Kafka': (concurrency) => overKafka(`t${newId()}`, concurrency),
};

const publish = async (made: Made, deliveries: DeliveryClaim[]): Promise<void> => {
  for (const one of deliveries) claims.set(one.deliveryId, one);
  await made.transport.publish(deliveries[0]!.channel, 2, deliveries);
};

describe.each(Object.keys(transports))('a delivery transport %s', (name) => {
  it('delivers each delivery once, never exceeds its concurrency, isolates channels, and drains', async () => {
    const made = transports[name]!(each(3));
    const handed: string[] = [];
    const finish = new Map<string, () => void>();
    for (const channel of channelIds) {
      made.handle(deliveriesPattern(channel), async (batch) => {
        await Promise.all(
          batch.deliveries.map(async (one) => {
            handed.push(one.deliveryId);
            await new Promise<void>((resolve) => finish.set(one.deliveryId, resolve));
            batch.done(one);
            batch.done(one);
          }),
        );
      });
    }
    const capacities: string[] = [];
    made.transport.onCapacity((channel) => capacities.push(channel));
    await made.start();
    const { transport } = made;
    const emails: DeliveryClaim[] = [];
    while (transport.capacity('email') > 0) {
      const one = delivery();
      emails.push(one);
      await publish(made, [one]);
    }
    expect(emails.length).toBeGreaterThanOrEqual(3);
    expect(emails.length).toBeLessThanOrEqual(6);
    expect(transport.capacity('sms')).toBe(3);
    const sms = delivery('sms');
    await publish(made, [sms]);
    await until(
      'as many as may be are handed over',
      () => handed.length >= 4 && handed.includes(sms.deliveryId),
      10_000,
    );
    expect(transport.capacity('email')).toBe(0);
    capacities.length = 0;
    finish.get(sms.deliveryId)!();
    await until('sms has room', () => capacities.includes('sms') && transport.capacity('sms') === 3);
    const inHand = (): string[] => handed.filter((id) => id !== sms.deliveryId && finish.has(id));
    const end = (id: string): void => {
      finish.get(id)!();
      finish.delete(id);
    };
    await until(
      'all were handed over',
      () => {
        for (const id of inHand().slice(0, -1)) end(id);
        return handed.length === emails.length + 1;
      },
      10_000,
    );
    let drained = false;
    const draining = transport.drain().then(() => {
      drained = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(drained).toBe(false);
    for (const id of inHand()) end(id);
    await draining;
    expect(transport.capacity('email')).toBe(0);
    await made.close();
    expect(new Set(handed)).toEqual(new Set([...emails, sms].map(({ deliveryId }) => deliveryId)));
    expect(handed).toHaveLength(emails.length + 1);
  }, 40_000);

  it('frees the capacity of deliveries whose consumer throws', async () => {
    const made = transports[name]!(each(1));
    made.handle(deliveriesPattern('email'), async () => {
      throw new Error('dropped');
    });
    await made.start();
    await publish(made, [delivery()]);
    await until('it was dropped', () => made.faults.some((fault) => fault.includes('dropped')), 10_000);
    await until('the place is free', () => made.transport.capacity('email') > 0);
    await made.close();
  }, 40_000);
});

describe('a delivery transport over Kafka', () => {
  const running: Made[] = [];
  afterEach(async () => {
    for (const made of running.splice(0)) await made.close();
  });
  const admin = kafka.admin();
  afterAll(() => admin.disconnect());
  const start = async (made: Made): Promise<Made> => {
    running.push(made);
    await made.start();
    return made;
  };
  const settleAll = (made: Made, seen: (one: DeliveryClaim) => void | Promise<void>): void =>
    made.handle(deliveriesPattern('email'), async (batch) => {
      await Promise.all(
        batch.deliveries.map(async (one) => {
          await seen(one);
          claims.delete(one.deliveryId);
          batch.done(one);
        }),
      );
    });

  it('keeps the order of each key, and works on other keys meanwhile', async () => {
    const made = overKafka(`t${newId()}`, each(1_000), ['email']);
    const byKey = new Map<string, string[]>();
    let [atOnce, most] = [0, 0];
    settleAll(made, async ({ messageKey, deliveryId }) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      byKey.set(messageKey, [...(byKey.get(messageKey) ?? []), deliveryId]);
      atOnce -= 1;
    });
    await start(made);
    const all = Array.from({ length: 600 }, (_, index) => delivery('email', `key-${index % 20}`));
    for (let at = 0; at < all.length; at += 150) await publish(made, all.slice(at, at + 150));
    await until('all are handed over', () => [...byKey.values()].flat().length === all.length, 15_000);
    for (const [key, order] of byKey)
      expect(order).toEqual(all.filter(({ messageKey }) => messageKey === key).map(({ deliveryId }) => deliveryId));
    expect(most).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(20);
  }, 40_000);

  it('does nothing when a topic is read again from its start', async () => {
    const prefix = `t${newId()}`;
    const first = overKafka(prefix, each(100), ['email']);
    let handed = 0;
    const count = (): void => {
      handed += 1;
    };
    settleAll(first, count);
    await first.start();
    await publish(
      first,
      Array.from({ length: 80 }, () => delivery()),
    );
    await until('all are handed over', () => handed === 80, 10_000);
    await first.close();

    const topics = new Topics(prefix);
    await admin.connect();
    await admin.resetOffsets({
      groupId: topics.workers('email'),
      topic: topics.deliveries('email', 2),
      earliest: true,
    });
    const second = await start(overKafka(prefix, each(100), ['email']));
    settleAll(second, count);
    const committed = async (): Promise<number> =>
      (
        await admin.fetchOffsets({ groupId: topics.workers('email'), topics: [topics.deliveries('email', 2)] })
      )[0]!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
    await until('the topic was read again', async () => (await committed()) === 80, 15_000);
    expect(handed).toBe(80);
  }, 40_000);

  it('dead-letters unreadable messages with reason and position, and continues with the others', async () => {
    const prefix = `t${newId()}`;
    const made = overKafka(prefix, each(100), ['email']);
    const handed: string[] = [];
    settleAll(made, ({ deliveryId }) => void handed.push(deliveryId));
    await start(made);
    const topic = new Topics(prefix).deliveries('email', 2);
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    const good = [delivery(), delivery()];
    poisoned.length = 0;
    await publish(made, [good[0]!]);
    const bad = [
      Buffer.from('{"v":1,'),
      Buffer.from('{"v":99}'),
      Buffer.from('{"v":1,"tenant_id":"x"}'),
      Buffer.alloc(900_000, 7),
    ];
    await producer.send({ topic, messages: bad.map((value) => ({ key: 'bad', value })) });
    await publish(made, [good[1]!]);
    await until('the good ones came through', () => handed.length === 2, 10_000);
    await until('the bad ones are noted', () => poisoned.length === 4, 10_000);
    expect(poisoned.map(({ reason }) => reason).sort()).toEqual([
      'not JSON',
      'not JSON',
      expect.stringContaining('tenant_id: Invalid UUID'),
      'unknown message version 99',
    ]);
    const letters: { value: Buffer; headers: Record<string, string> }[] = [];
    const consumer = kafka.consumer({ groupId: `${prefix}.reader`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [`${prefix}.dead-letters`], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) =>
        void letters.push({
          value: message.value!,
          headers: Object.fromEntries(Object.entries(message.headers!).map(([name, value]) => [name, String(value)])),
        }),
    });
    await until('the dead letters are on their topic', () => letters.length === 4, 15_000);
    expect(letters.map(({ value }) => value.length).sort()).toEqual(bad.map(({ length }) => length).sort());
    expect(letters[0]!.headers).toMatchObject({
      'carillon-topic': topic,
      'carillon-offset': expect.stringMatching(/^\d+$/),
    });
    await consumer.disconnect();
    await producer.disconnect();
  }, 60_000);

  it('leaves what a lost worker held to the others, and takes no more than the others leave', async () => {
    const prefix = `t${newId()}`;
    const lost = overKafka(prefix, each(50), ['email']);
    const stuck: string[] = [];
    // Never settles: what a worker that hangs would hold.
    lost.handle(deliveriesPattern('email'), async (batch) => {
      stuck.push(...batch.deliveries.map(({ deliveryId }) => deliveryId));
      await new Promise(() => undefined);
    });
    await lost.start();
    const all = Array.from({ length: 40 }, () => delivery());
    await publish(lost, all);
    await until('it holds them', () => stuck.length === 40, 10_000);
    // It leaves the group without having finished: nothing of it was committed.
    void lost.transport.drain();
    await (lost.transport as KafkaTransport<DeliveryClaim>).close();
    const handed: string[] = [];
    const other = overKafka(prefix, each(50), ['email']);
    settleAll(other, ({ deliveryId }) => void handed.push(deliveryId));
    await start(other);
    await until('the other has them', () => handed.length === 40, 20_000);
    expect(new Set(handed)).toEqual(new Set(stuck));
  }, 60_000);
});
