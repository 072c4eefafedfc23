import type { FinishedSpan } from '#telemetry';

const ID = /^[0-9a-f-]{36}$/;

/** Takes every span of this process, and keeps each different text in it. */
export class SpanMemory {
  private readonly texts = new Set<string>();

  isSampled(): boolean {
    return true;
  }

  add({ name, attributes, error }: FinishedSpan): void {
    this.texts.add(`${name} ${error ?? ''}`);
    // Ids are many, and no value that is watched has the form of one.
    for (const [key, value] of Object.entries(attributes))
      if (typeof value === 'string' && !ID.test(value)) this.texts.add(`${name} ${key} ${value}`);
  }

  text(): string {
    return [...this.texts].join('\n');
  }
}

/** Of the test file that this process runs. */
export const spanMemory = new SpanMemory();
