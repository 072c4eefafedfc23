// Certificates of a private CA, made for one test.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  cert: string;
  key: string;
  certFile: string;
  keyFile: string;
}

export interface PrivateCa extends Certificate {
  /** A certificate for servers of this DNS name, which also serves as one of a client. */
  issue(host: string): Promise<Certificate>;
}

/** Makes a CA and writes it and its certificates into `directory` as PEM files. */
export async function makeCa(directory: string, name: string): Promise<PrivateCa> {
  const ca = await make(directory, name, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ]);
  const issue = (host: string): Promise<Certificate> =>
    make(directory, host, [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }], ca);
  return { ...ca, issue };
}

type Extensions = NonNullable<NonNullable<Parameters<typeof generate>[1]>['extensions']>;

async function make(directory: string, name: string, extensions: Extensions, ca?: Certificate): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions,
    ...(ca && { ca: { cert: ca.cert, key: ca.key } }),
  });
  const made = { cert, key, certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
  writeFileSync(made.certFile, cert);
  writeFileSync(made.keyFile, key, { mode: 0o600 });
  return made;
}
