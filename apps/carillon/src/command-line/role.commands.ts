import type { Command } from 'commander';

/** `start`, `api`, `worker`. Their files run when they are imported. */
export function addRoleCommands(program: Command): void {
  program
    .command('start')
    .description('run everything in one process: embedded PostgreSQL without DATABASE_URL, migrations, API, worker')
    .addHelpText('after', '\nExamples:\n  carillon start\n  PORT=9000 CARILLON_HOME=~/carillon carillon start')
    .action(async () => void (await import('../main.js')));
  program
    .command('api')
    .description('run an API process; needs DATABASE_URL')
    .addHelpText('after', '\nExamples:\n  DATABASE_URL=postgresql://… MASTER_KEY=… ADMIN_TOKEN=… carillon api')
    .action(async () => void (await import('../../../api/src/main.js')));
  program
    .command('worker')
    .description('run a worker process; needs DATABASE_URL')
    .addHelpText('after', '\nExamples:\n  carillon worker\n  WORKER_CHANNELS=email,sms carillon worker')
    .action(async () => void (await import('../../../worker/src/main.js')));
}
