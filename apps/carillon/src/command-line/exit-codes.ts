/** docs/cli.md explains them. */
export const exitCodes = {
  ok: 0,
  /** A bug, or something on this machine: a file that cannot be written. */
  failed: 1,
  /** A wrong command, option, argument or setting. */
  usage: 2,
  /** Carillon refused the request. */
  refused: 3,
  /** Carillon or the database cannot be reached, or answered with a fault of its own. */
  unavailable: 4,
  /** The command ran, and reports something to act on: findings, failed items. */
  findings: 5,
  /** Ctrl-C: 128 and the number of SIGINT. */
  interrupted: 130,
} as const;

/** An error with a message for the user; all others are bugs and need their stack. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
    /** For `--json`: the problem that the API answered, or a code. */
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, exitCodes.usage, { code: 'usage' });
}
