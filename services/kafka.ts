import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { fixTimer } from '../libs/messaging/src/kafka/fix-timer.ts';
import type { MoreListeners } from './kafka-security.ts';
import { freePort, onPath, run } from './programs.ts';

export const KAFKA_VERSION = '4.2.1';
const SLF4J_VERSION = '1.7.36';
// Also for the clients that tests make themselves.
fixTimer();

const CLUSTER_ID = 'Y2FyaWxsb24tbG9jYWwtMQ';

export interface KafkaService {
  brokers: string;
  version: string;
  /** Sends SIGKILL; `start` starts it again on the same port with the same data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface KafkaServiceOptions {
  directory: string;
  jars: string;
  port?: number;
  /** Listeners beside the one of `brokers`. */
  more?: MoreListeners;
}

/** The reason why Kafka cannot start on this machine, or null if it can. */
export function kafkaMissing(jars: string): string | null {
  if (!onPath('java')) return 'no java on the PATH (Debian: apt-get install default-jre-headless)';
  if (!existsSync(jarsOf(jars)) && !onPath('mvn'))
    return 'no mvn on the PATH to fetch the jars of Kafka with (Debian: apt-get install maven)';
  return null;
}

/**
 * Starts Kafka on the loopback interface: one node that is broker and controller. Its jars come from Maven Central, downloaded
 * once into `jars`.
 */
export async function startKafka(options: KafkaServiceOptions): Promise<KafkaService> {
  const jars = await fetchJars(options.jars);
  mkdirSync(options.directory, { recursive: true });
  const port = options.port ?? (await freePort());
  const controller = await freePort();
  const { listeners = [], properties: moreProperties = [], storage = [] } = options.more ?? {};
  const plain = `PLAINTEXT://127.0.0.1:${port}`;
  const properties = join(options.directory, 'server.properties');
  writeFileSync(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=${[plain, ...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(',')}`,
      `advertised.listeners=${[plain, ...listeners].join(',')}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${join(options.directory, 'data')}`,
      'auto.create.topics.enable=false',
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=4',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'share.coordinator.state.topic.replication.factor=1',
      'group.initial.rebalance.delay.ms=0',
      'broker.session.timeout.ms=4000',
      ...moreProperties,
      '',
    ].join('\n'),
  );
  const java = ['-cp', `${jars}/*`];
  await run('java', [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '--ignore-formatted',
    '-t',
    CLUSTER_ID,
    '-c',
    properties,
    ...storage,
  ]);

  const brokers = `127.0.0.1:${port}`;
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = spawn(
      'java',
      [
        '-Xmx512m',
        '-XX:+UseSerialGC',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
        ...java,
        'kafka.Kafka',
        properties,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await kafkaAnswers(brokers, () => child.exitCode);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  await start();
  return { brokers, version: KAFKA_VERSION, kill: () => end('SIGKILL'), start, stop: () => end('SIGKILL') };
}

/** Waits until a metadata request is answered; an open port is not enough. */
export async function kafkaAnswers(brokers: string, exitCode: () => number | null = () => null): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const kafka = new Kafka({
      clientId: 'carillon-services',
      brokers: brokers.split(','),
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      retry: { retries: 0 },
    });
    const admin = kafka.admin();
    try {
      await admin.connect();
      await admin.describeCluster();
      return;
    } catch (error) {
      if (exitCode() !== null) throw new Error(`Kafka ended with ${exitCode()}`);
      if (performance.now() > until) throw error;
      await delay(200);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

function jarsOf(directory: string): string {
  return join(directory, `kafka-${KAFKA_VERSION}`);
}

async function fetchJars(directory: string): Promise<string> {
  const wanted = jarsOf(directory);
  if (existsSync(wanted)) return wanted;
  const missing = kafkaMissing(directory);
  if (missing) throw new Error(missing);
  const fresh = `${wanted}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  writeFileSync(
    join(fresh, 'pom.xml'),
    `<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>${SLF4J_VERSION}</version></dependency>
</dependencies></project>
`,
  );
  await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=.'], { cwd: fresh });
  if (!readdirSync(fresh).some((name) => name.endsWith('.jar')))
    throw new Error(`mvn downloaded no jars into ${fresh}`);
  // A rename is atomic: no other process sees an incomplete folder.
  try {
    renameSync(fresh, wanted);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(wanted)) throw error;
  }
  return wanted;
}
