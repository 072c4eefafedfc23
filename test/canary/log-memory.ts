import type { Config } from '#config';

/** Keeps every log line in memory, and prints those of at least a level. */
export class LogMemory {
  private readonly lines: string[] = [];

  constructor(private readonly level: Config['logLevel']) {}

  write(line: string): void {
    this.lines.push(line);
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
    const at = /"level":"(\w+)"/.exec(line)?.[1] ?? 'fatal';
    if (levels.indexOf(at) >= levels.indexOf(this.level)) process.stdout.write(line);
  }

  text(): string {
    return this.lines.join('');
  }
}
