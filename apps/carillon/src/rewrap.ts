import { runCommandLine } from './command-line/command-line.js';

await runCommandLine(['rewrap', ...process.argv.slice(2)]);
