import type { Command } from 'commander';
import type { DoctorRun } from '../examine-database.js';
import { JSON_OPTION } from './options.js';

const EXAMPLES = `
Examples:
  carillon doctor
  DATABASE_URL=postgresql://… MASTER_KEY=… carillon doctor --json
  carillon doctor --fix          # also corrects counters

Without DATABASE_URL it examines the embedded database under CARILLON_HOME, which must be running. It reads a page at a
time and can run beside everything else. It ends with 5 if it has found something.`;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('compare counters, queue, inboxes, jobs, keys and settings with the truth, and say what to do')
    .option('--fix', 'also recount the counters that are wrong')
    .addOption(JSON_OPTION)
    .addHelpText('after', EXAMPLES)
    .action(async (options: DoctorRun) => (await import('../examine-database.js')).examineDatabase(options));
}
