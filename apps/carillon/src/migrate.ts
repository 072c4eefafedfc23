import { runCommandLine } from './command-line/command-line.js';

await runCommandLine(['migrate', ...process.argv.slice(2)]);
