import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromOfContent } from './email/email.js';
import { choiceFault, isChoiceEntry, type SenderChoice } from './sender-choice.js';

const OWN = 'Operator <noreply@operator.example>';

const maySendAs = (from: string | undefined, allowed?: string[]): boolean =>
  choiceFault(
    fromOfContent as SenderChoice,
    { credentials: { from: OWN }, ...(allowed && { allowed: { from: allowed } }) },
    { to: 'r@example.com', content: { subject: 's', ...(from !== undefined && { from }) } },
  ) === null;

describe('the sender of an e-mail through an account of the platform', () => {
  it('is the one of the account by default, with its name', () => {
    for (const from of [
      undefined,
      OWN,
      'Operator  <NoReply@Operator.Example> ',
      '"Operator" <noreply@operator.example>',
    ])
      expect([from, maySendAs(from)]).toEqual([from, true]);
    for (const from of [
      'security@operator.example',
      'noreply@operator.example',
      'Security <noreply@operator.example>',
      'Operator <noreply@operator.example>, security@operator.example',
    ])
      expect([from, maySendAs(from)]).toEqual([from, false]);
  });

  it('may be each address and each domain of the list, with any name', () => {
    const allowed = ['Hello@tenant.example', '@mail.example'];
    for (const from of [
      'hello@TENANT.example',
      'We, "us" <hello@tenant.example>',
      'a@mail.example',
      'A <b@MAIL.example>',
    ])
      expect([from, maySendAs(from, allowed)]).toEqual([from, !from.startsWith('We')]);
    expect(maySendAs('"We, us" <hello@tenant.example>', allowed)).toBe(true);
    expect(maySendAs(OWN, allowed)).toBe(true);
    for (const from of ['x@sub.mail.example', 'x@evilmail.example', 'x@mail.example.evil.example', 'x@tenant.example'])
      expect([from, maySendAs(from, allowed)]).toEqual([from, false]);
    expect(maySendAs('anyone@anywhere.example', ['*'])).toBe(true);
    expect(maySendAs('anyone@anywhere.example', [])).toBe(false);
  });

  it('is refused in every spelling in which a vendor could read another address', () => {
    for (const from of [
      'a@mail.example, ceo@operator.example',
      'ceo@operator.example, a@mail.example',
      'ceo@operator.example <a@mail.example>',
      '"ceo@operator.example" <a@mail.example>',
      '<ceo@operator.example> <a@mail.example>',
      'ceo@operator.example\u0000<a@mail.example>',
      'a@operator.example@mail.example',
      'group: ceo@operator.example; <a@mail.example>',
      '(comment) a@mail.example',
      '"a\\" <ceo@operator.example>" <a@mail.example>',
      '<@operator.example:a@mail.example>',
    ])
      expect([from, maySendAs(from, ['@mail.example'])]).toEqual([from, false]);
  });

  it('never allows a text with an address of another domain', () => {
    const part = fc.constantFrom('ceo@operator.example', 'a@mail.example', '<', '>', '"', ',', ' ', ';', ':', '(', ')');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const from = parts.join('');
        return !(from.includes('ceo@operator.example') && maySendAs(from || undefined, ['@mail.example']));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('an entry of a list', () => {
  it('is an address, a domain or *, or the name of a channel', () => {
    for (const entry of ['*', 'a@b.example', '@b.example']) expect(isChoiceEntry('allowed_from', entry)).toBe(true);
    for (const entry of ['', 'b.example', '@', 'a@b@c', 'A <a@b.example>', 'a@b.example,'])
      expect([entry, isChoiceEntry('allowed_from', entry)]).toEqual([entry, false]);
    for (const entry of ['*', '#news', 'C0123ABC', '-100123'])
      expect(isChoiceEntry('allowed_channels', entry)).toBe(true);
    for (const entry of ['', 'a channel', 'a\n']) expect(isChoiceEntry('allowed_channels', entry)).toBe(false);
  });
});
