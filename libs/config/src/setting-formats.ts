// The formats of settings: which texts are valid, and the values they become.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { channelIds, isIpRange, wholeNumber } from '#domain';

export const port = z.coerce.number({ error: 'must be a port number' }).int().min(0).max(65_535);
export const positive = z.coerce.number({ error: 'must be a whole number of at least 1' }).int().min(1);
export const concurrency = wholeNumber(1, 10_000);
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

export const databaseUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be a URL like postgresql://user:password@host:5432/name',
});

export const channelList = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(channelIds)).min(1));

export const brokerList = z
  .string()
  .transform((text) => text.split(',').map((broker) => broker.trim()))
  .pipe(z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port, comma-separated')).min(1));

export const prefix = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores');

/** Ranges in CIDR notation. */
export const cidrList = z
  .string()
  .transform((text) => text.split(',').map((range) => range.trim()))
  .pipe(
    z.array(
      z
        .string()
        .refine((range) => range.includes('/') && isIpRange(range), 'must be ranges like 10.0.0.0/8, comma-separated'),
    ),
  );

/** 32 bytes, as 64 hexadecimal digits or as base64. */
export const masterKey = z.string().transform((text, context) => {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length !== 32) {
    context.addIssue({ code: 'custom', message: 'must be 32 bytes as 64 hexadecimal digits or base64' });
    return z.NEVER;
  }
  return key;
});

/** Master keys, comma-separated. */
export const masterKeyList = z
  .string()
  .transform((text) => text.split(',').map((key) => key.trim()))
  .pipe(z.array(masterKey).min(1));

export const days = z.coerce.number({ error: 'must be a number of days' }).int();

/** Each tenant is a series of every metric by tenant. */
export const tenantSeries = z.coerce.number({ error: 'must be a number of tenants' }).int().min(0).max(100).default(20);

/** The text of a PEM file. `parse` throws for a text of another kind than `what`. */
function pemFile(what: string, parse: (text: string) => unknown) {
  return z.string().transform((path, context) => {
    try {
      const text = readFileSync(path, 'utf8');
      parse(text);
      return text;
    } catch (error) {
      const { syscall, code } = error as NodeJS.ErrnoException;
      const message = syscall ? `cannot be read (${code})` : `must be a PEM file with ${what}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  });
}

export const certificateFile = pemFile('certificates', (text) => new X509Certificate(text));
export const keyFile = pemFile('a private key without a passphrase', createPrivateKey);
