import { expect, it } from 'vitest';
import { AddressSearch } from './address-search.js';

const search = new AddressSearch(["ann.o'brien+1@example.com", '+4179123456', 'Token:Of-Ann', 'a']);

it.each([
  "ann.o'brien+1@example.com",
  "Dear Ann.O'Brien+1@Example.COM, hello",
  '<p>ann.o&#x27;brien+1@example.com</p>',
  "https://example.com/?to=ann.o'brien%2b1%40example.com&x=1",
  'call +4179123456',
  'token:of-ann.',
  'A',
])('finds an address in %j', (text) => {
  expect(search.isIn(text)).toBe(true);
});

it.each(['', 'an answer', "ann.o'brien+2@example.com", 'ann.o'])('finds no address in %j', (text) => {
  expect(search.isIn(text)).toBe(false);
  expect(new AddressSearch([]).isIn(text)).toBe(false);
});
