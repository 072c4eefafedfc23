// Listeners of the tests' Kafka with TLS and logins.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate, PrivateCa } from './certificates.ts';
import { freePort } from './programs.ts';

export interface MoreListeners {
  /** `name://host:port` of each. */
  listeners: string[];
  /** Lines of `server.properties`. */
  properties: string[];
  /** Parameters of the storage tool, which stores the passwords of SCRAM. */
  storage: string[];
}

export interface SecureListeners extends MoreListeners {
  /** Needs a login with `username` and the password of its mechanism. */
  saslPort: number;
  /** Needs a certificate of the client. */
  mutualPort: number;
}

interface SecureListenersOptions {
  directory: string;
  /** Also signs the certificates of clients. */
  ca: PrivateCa;
  /** Of `localhost`. */
  certificate: Certificate;
  username: string;
  /** By mechanism. */
  passwords: { plain: string; 'scram-sha-256': string; 'scram-sha-512': string };
}

/** A SASL_SSL listener with three mechanisms and an SSL one for clients with a certificate. */
export async function secureListeners(options: SecureListenersOptions): Promise<SecureListeners> {
  const { directory, ca, certificate, username, passwords } = options;
  const [saslPort, mutualPort] = [await freePort(), await freePort()];
  const keyStore = join(directory, 'server.pem');
  writeFileSync(keyStore, certificate.key + certificate.cert);
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  return {
    saslPort,
    mutualPort,
    listeners: [`SASL_SSL://localhost:${saslPort}`, `SSL://localhost:${mutualPort}`],
    properties: [
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL',
      'ssl.keystore.type=PEM',
      `ssl.keystore.location=${keyStore}`,
      'ssl.truststore.type=PEM',
      `ssl.truststore.location=${ca.certFile}`,
      'listener.name.ssl.ssl.client.auth=required',
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      `listener.name.sasl_ssl.plain.sasl.jaas.config=${plain} required user_${username}="${passwords.plain}";`,
      `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${scram} required;`,
      `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${scram} required;`,
    ],
    storage: (['scram-sha-256', 'scram-sha-512'] as const).flatMap((mechanism) => [
      '--add-scram',
      `${mechanism.toUpperCase()}=[name=${username},password=${passwords[mechanism]}]`,
    ]),
  };
}
