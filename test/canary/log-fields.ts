/** Log lines about a delivery that have no tenant_id or no trace_id. For logs of a process that makes traces. */
export function linesWithoutIds(logs: string): string[] {
  return logs
    .split('\n')
    .filter((line) => line.includes('"delivery_id"'))
    .filter((line) => {
      const fields = JSON.parse(line) as Record<string, unknown>;
      return typeof fields['tenant_id'] !== 'string' || typeof fields['trace_id'] !== 'string';
    });
}
