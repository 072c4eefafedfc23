// The proofs in the receipts of each vendor: the rows of docs/receipts.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Report, type ReportOptions, reporters, startVendor, vendors } from '#testing';
import { type Provider, type Receipt, ReceiptRefused } from './define-provider.js';
import { EgressGuard } from './http/egress-guard.js';
import { VendorHttp } from './http/vendor-http.js';
import { providers } from './registry.js';

const HOUR_MS = 3_600_000;
const URL_OF_ACCOUNT = 'https://carillon.example.com/receipts/x/y';
const TENANT = '01939d05-0000-7000-8000-000000000001';
const [DELIVERY, OTHER] = ['01939d05-0000-7000-8000-000000000002', '01939d05-0000-7000-8000-000000000003'];

interface Proof {
  /** Whether an event that was changed after it was signed is refused. */
  coversEvent: boolean;
  /** Whether the same holds for the delivery that it is about. */
  coversDelivery: boolean;
  /** For how long a call is accepted after it was signed; null if no time is signed. */
  hours: number | null;
  /** Whether a signed token can be used for one report only. */
  bindsToken: boolean;
}

const PROOFS: Readonly<Record<string, Proof>> = {
  ses: { coversEvent: true, coversDelivery: true, hours: 2, bindsToken: false },
  resend: { coversEvent: true, coversDelivery: true, hours: 5 / 60, bindsToken: false },
  sendgrid: { coversEvent: true, coversDelivery: true, hours: 25, bindsToken: false },
  mailgun: { coversEvent: false, coversDelivery: false, hours: 12, bindsToken: true },
  twilio: { coversEvent: true, coversDelivery: true, hours: null, bindsToken: false },
  vonage: { coversEvent: false, coversDelivery: true, hours: null, bindsToken: false },
  // The call contains a password, which proves any report.
  postmark: { coversEvent: false, coversDelivery: false, hours: null, bindsToken: false },
  brevo: { coversEvent: false, coversDelivery: false, hours: null, bindsToken: false },
};

/** The name of a delivered event at each vendor, and of another event. */
const EVENTS: Readonly<Record<string, [from: string, to: string]>> = {
  ses: ['\\"Delivery\\"', '\\"Complaint\\"'],
  resend: ['email.delivered', 'email.complained'],
  sendgrid: ['"event":"delivered"', '"event":"spamreport"'],
  mailgun: ['"event":"delivered"', '"event":"complained"'],
  twilio: ['MessageStatus=delivered', 'MessageStatus=undelivered'],
  vonage: ['"status":"delivered"', '"status":"failed"'],
  postmark: ['"RecordType":"Delivery"', '"RecordType":"SpamComplaint"'],
  brevo: ['"event":"delivered"', '"event":"spam"'],
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Bound {
  token: string;
  report: unknown;
  until: Date;
}

async function prepare(provider: Provider) {
  const vendor = await startVendor(vendors[provider.id]!);
  const http = new VendorHttp(new EgressGuard(['127.0.0.0/8']));
  open.push(
    () => vendor.close(),
    () => http.close(),
  );
  const options: ReportOptions = {
    credentials: vendor.credentials,
    url: URL_OF_ACCOUNT,
    tenantId: TENANT,
    deliveryId: DELIVERY,
  };
  const credentials = provider.credentials.parse(vendor.credentials);
  const bound: Bound[] = [];
  const urlOf = (of: ReportOptions): string => reporters[provider.id]!.urlOf?.(of) ?? URL_OF_ACCOUNT;
  const read = (report: Report, url = urlOf(options)): Promise<Receipt[]> =>
    provider.parseReceipts!(
      {
        ...report,
        url,
        signal: AbortSignal.timeout(3_000),
        bindToken: async (token, content, until) => void bound.push({ token, report: content, until }),
      },
      credentials,
      http,
    );
  const signed = (signedAt?: Date): Report =>
    reporters[provider.id]!.report('delivered', { ...options, ...(signedAt && { signedAt }) });
  return { read, signed, bound, urlOf, options };
}

const reporting = Object.values(providers).filter(({ parseReceipts }) => parseReceipts);
const page = readFileSync(join(import.meta.dirname, '../../../docs/receipts.md'), 'utf8');

it('every provider with receipts has its proofs here, and a row in docs/receipts.md', () => {
  expect(Object.keys(PROOFS).sort()).toEqual(reporting.map(({ id }) => id).sort());
  for (const { id } of reporting) expect(page).toContain(`| \`${id}\` |`);
});

describe.each(reporting)('a call of $id', (provider) => {
  const proof = PROOFS[provider.id]!;
  const [from, to] = EVENTS[provider.id]!;

  it(`with another event than the vendor's is ${proof.coversEvent ? 'refused' : 'not recognized'}`, async () => {
    const { read, signed } = await prepare(provider);
    const good = signed();
    expect(good.body).toContain(from);
    const changed = { ...good, body: good.body.replace(from, to) };
    if (proof.coversEvent) await expect(read(changed)).rejects.toBeInstanceOf(ReceiptRefused);
    else expect(await read(changed)).toMatchObject([{ kind: expect.stringMatching(/complained|bounced/) }]);
  });

  it(`for another delivery is ${proof.coversDelivery ? 'refused' : 'not recognized'}`, async () => {
    const { read, signed, urlOf, options } = await prepare(provider);
    const good = signed();
    const changed = { ...good, body: good.body.replaceAll(DELIVERY, OTHER) };
    const reading = read(changed, urlOf({ ...options, deliveryId: OTHER }));
    if (proof.coversDelivery) await expect(reading).rejects.toBeInstanceOf(ReceiptRefused);
    else expect(await reading).toMatchObject([{ deliveryId: OTHER }]);
  });

  it(`is accepted ${proof.hours === null ? 'at any time' : `for ${proof.hours} hours`}`, async () => {
    const { read, signed } = await prepare(provider);
    const ageOf = (milliseconds: number): Date => new Date(Date.now() - milliseconds);
    if (proof.hours === null) {
      expect(await read(signed(new Date('2017-05-03')))).toHaveLength(1);
      return;
    }
    const window = proof.hours * HOUR_MS;
    expect(await read(signed(ageOf(window - 60_000)))).toHaveLength(1);
    for (const age of [window + 60_000, -10 * 60_000, Date.now() - Date.parse('2017-05-03')])
      await expect(read(signed(ageOf(age))), String(age)).rejects.toBeInstanceOf(ReceiptRefused);
  });

  it(`${proof.bindsToken ? 'binds its token to the report' : 'has no token to bind'}`, async () => {
    const { read, signed, bound } = await prepare(provider);
    const found = await read(signed());
    expect(bound.map(({ report }) => report)).toEqual(proof.bindsToken ? [found] : []);
    // Longer than a call is accepted.
    for (const { until } of bound) expect(until.getTime()).toBeGreaterThan(Date.now() + proof.hours! * HOUR_MS);
  });
});

describe('mailgun in particular', () => {
  const mailgun = providers['mailgun']!;

  it('binds the token of an event of no interest, too: it could sign a complaint', async () => {
    const { read, signed, bound } = await prepare(mailgun);
    const good = signed();
    expect(await read({ ...good, body: good.body.replace('"delivered"', '"clicked"') })).toEqual([]);
    expect(bound).toMatchObject([{ report: [] }]);
  });

  it('has one reading of each signature: the border between time and token cannot be moved', async () => {
    const { read, signed } = await prepare(mailgun);
    const call = JSON.parse(signed().body);
    const { timestamp, token, signature } = call.signature;
    const text = timestamp + token;
    for (const length of [0, 1, 9, 11, 12, 20]) {
      const moved = { timestamp: text.slice(0, length), token: text.slice(length), signature };
      const body = JSON.stringify({ ...call, signature: moved });
      await expect(read({ headers: {}, body }), String(length)).rejects.toBeInstanceOf(ReceiptRefused);
    }
    const number = { ...call, signature: { timestamp: Number(timestamp), token, signature } };
    expect(await read({ headers: {}, body: JSON.stringify(number) })).toHaveLength(1);
  });

  it.each([
    ['null', null],
    ['a number', 1],
    ['no signature', { 'event-data': {} }],
    ['numbers', { signature: { timestamp: 1, token: 2, signature: 3 } }],
    ['objects', { signature: { timestamp: {}, token: [], signature: null } }],
    ['no times', { signature: { timestamp: '1e26', token: 'x', signature: 'x' } }],
  ])('refuses a call with %s', async (_name, body) => {
    const { read } = await prepare(mailgun);
    await expect(read({ headers: {}, body: JSON.stringify(body) })).rejects.toBeInstanceOf(ReceiptRefused);
  });
});
