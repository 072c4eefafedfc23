import { afterAll } from 'vitest';
import { leaksOfProcesses } from './canary/process-texts.js';

afterAll(() => {
  const leaks = leaksOfProcesses();
  if (leaks.length > 0) throw new Error(`${leaks.length} leaks:\n${leaks.slice(0, 20).join('\n')}`);
});
