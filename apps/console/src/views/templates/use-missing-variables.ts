import { useEffect, useMemo, useState } from 'react';

type Analysis = typeof import('./used-variables');

interface Missing {
  /** As paths: `order.id`. */
  names: string[];
  /** The payload with placeholders for them. */
  filled(): Record<string, unknown>;
}

/** Null until the parser is loaded, and while the payload is not readable. */
export function useMissingVariables(
  sources: readonly string[],
  payload: Record<string, unknown> | null,
): Missing | null {
  const [analysis, setAnalysis] = useState<Analysis | null>(null);
  useEffect(() => {
    // The parser of Handlebars is large, and the editor works without it.
    void import('./used-variables').then(setAnalysis, () => undefined);
  }, []);
  const joined = JSON.stringify(sources);
  const used = useMemo(() => analysis?.usedVariables(JSON.parse(joined) as string[]), [analysis, joined]);
  if (!analysis || !used || !payload) return null;
  const names = analysis.missingVariables(used, payload);
  return { names, filled: () => analysis.withPlaceholders(payload, names) };
}
