import { runCommandLine } from './command-line/command-line.js';

await runCommandLine(['rotate-token-key', ...process.argv.slice(2)]);
