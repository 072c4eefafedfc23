import { expect, it } from 'vitest';
import { leaksOfProcesses, watchText } from './process-texts.js';

it('what a process has written is searched once, except for a secret that it prints for its user', () => {
  const [key, other] = [`car_live_${'a'.repeat(44)}`, `car_live_${'b'.repeat(44)}`];
  let output = '';
  watchText(
    'the output',
    () => output,
    () => [key],
  );
  output = `your key is ${key}; sent to ann@example.com with ${other}`;
  expect(leaksOfProcesses().map((leak) => leak.split(' in …')[0])).toEqual([
    `the output: ${other}`,
    'the output: ann@example.com',
  ]);
  expect(leaksOfProcesses()).toEqual([]);
});
