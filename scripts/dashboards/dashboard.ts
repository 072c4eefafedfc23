// Makes the JSON of Grafana dashboards from short descriptions.

export interface Query {
  expr: string;
  /** Labels in double braces are replaced by their values. */
  legend: string;
}

export interface Panel {
  title: string;
  type: 'timeseries' | 'stat';
  unit: 's' | 'ops' | 'short' | 'percentunit' | 'd';
  queries: readonly Query[];
  description?: string;
  /** Its metric has no series until something has failed or a feature is used. */
  isEmptyWhenHealthy?: boolean;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  /** Labels that can be chosen: the values are those of this metric. */
  variables?: Readonly<Record<string, string>>;
  rows: readonly { title: string; panels: readonly Panel[] }[];
}

/** The test of the dashboards looks for this text in the description of a panel without data. */
export const EMPTY_WHEN_HEALTHY = 'Empty when healthy.';

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana replaces it with the chosen data source
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
/** Grafana's grid has 24 columns; a unit of height is 30 pixels. */
const COLUMNS = 24;
const LINES = { stat: { atMost: 6, height: 4 }, timeseries: { atMost: 3, height: 8 } } as const;

export function timeseries(title: string, unit: Panel['unit'], ...queries: Query[]): Panel {
  return { title, type: 'timeseries', unit, queries };
}

export function stat(title: string, unit: Panel['unit'], expr: string): Panel {
  return { title, type: 'stat', unit, queries: [{ expr, legend: title }] };
}

export function query(expr: string, legend: string): Query {
  return { expr, legend };
}

export function described(panel: Panel, description: string): Panel {
  return { ...panel, description };
}

export function emptyWhenHealthy(panel: Panel): Panel {
  return { ...panel, isEmptyWhenHealthy: true };
}

/** The rate of a counter by labels. */
export function rate(metric: string, labels: readonly string[], filter = ''): Query {
  return {
    expr: `sum by (${labels.join(', ')}) (rate(${metric}${filter}[$__rate_interval]))`,
    legend: labels.map((label) => `{{${label}}}`).join(' '),
  };
}

/** Quantiles of a histogram by labels. */
export function quantiles(
  metric: string,
  labels: readonly string[],
  { filter = '', of = [0.95] }: { filter?: string; of?: readonly number[] } = {},
): Query[] {
  const by = ['le', ...labels].join(', ');
  const legend = labels.map((label) => `{{${label}}}`).join(' ');
  return of.map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${by}) (rate(${metric}_bucket${filter}[$__rate_interval])))`,
    legend: `p${quantile * 100} ${legend}`.trim(),
  }));
}

export function toGrafana({ uid, title, description, variables = {}, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: position(COLUMNS, 1, 0, y),
    });
    y += 1;
    for (const line of linesOf(row.panels)) {
      const { height } = LINES[line[0]!.type];
      const width = Math.floor(COLUMNS / line.length);
      for (const [index, panel] of line.entries())
        panels.push({ id: panels.length + 1, ...toGrafanaPanel(panel, position(width, height, index * width, y)) });
      y += height;
    }
  }
  return {
    uid: `carillon-${uid}`,
    title: `Carillon / ${title}`,
    description,
    tags: ['carillon'],
    editable: true,
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [datasourceVariable(), ...Object.entries(variables).map(labelVariable)] },
    links: [
      {
        type: 'dashboards',
        title: 'Carillon',
        tags: ['carillon'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    panels,
  };
}

function toGrafanaPanel(
  { title, type, unit, queries, description, isEmptyWhenHealthy }: Panel,
  gridPos: object,
): object {
  const text = [description, isEmptyWhenHealthy && EMPTY_WHEN_HEALTHY].filter(Boolean).join(' ');
  return {
    type,
    title,
    ...(text !== '' && { description: text }),
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        // A share.
        ...(unit === 'percentunit' && { max: 1 }),
        custom: type === 'timeseries' ? { fillOpacity: 10, showPoints: 'never' } : {},
      },
      overrides: [],
    },
    options:
      type === 'timeseries'
        ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
        : { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none', graphMode: 'area' },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}

/** Panels of one type that fill the width together. Of more than one line has, each line gets as many as the others. */
function linesOf(panels: readonly Panel[]): Panel[][] {
  const lines: Panel[][] = [];
  for (let from = 0; from < panels.length; ) {
    const { type } = panels[from]!;
    const end = panels.findIndex((panel, index) => index > from && panel.type !== type);
    const alike = panels.slice(from, end === -1 ? undefined : end);
    const count = Math.ceil(alike.length / LINES[type].atMost);
    for (let line = 0; line < count; line += 1) {
      const [first, last] = [line, line + 1].map((place) => Math.ceil((place * alike.length) / count));
      lines.push(alike.slice(first, last));
    }
    from += alike.length;
  }
  return lines;
}

function position(w: number, h: number, x: number, y: number): object {
  return { w, h, x, y };
}

function datasourceVariable(): object {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: {} };
}

function labelVariable([name, metric]: [string, string]): object {
  return {
    name,
    label: name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: `label_values(${metric}, ${name})`, refId: name },
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  };
}
