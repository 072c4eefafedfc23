import type { TemplateVersion } from '#client';

/** Everything of a version as one text, for the comparison. */
export function versionText({ content, layout, payload_schema, sample_payload }: TemplateVersion): string {
  const parts: [string, unknown][] = [
    ...Object.entries(content).sort(([one], [other]) => one.localeCompare(other)),
    ['layout', layout],
    ['payload schema', payload_schema],
    ['sample payload', sample_payload],
  ];
  return parts
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `# ${name}\n${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`)
    .join('\n');
}
