// npm run dashboard-images                 runs the product under load for five minutes, with faults in between, and draws two
//                                          dashboards into docs/images
// npm run dashboard-images -- --draw-only  draws them again from the measurements of the last run, for example after a
//                                          change of a panel
//
// Needs what `npm test` needs: chromium, redis-server, and apt-get for Prometheus. The queries, legends and units are
// those of deployments/grafana/dashboards. Grafana takes no part.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { fetchPrometheus, startPrometheus } from '../../services/prometheus.ts';
import { measure } from './measure.ts';
import { pageOf, WIDTH } from './page.ts';
import { type Period, readDashboard } from './read-dashboard.ts';

const ROOT = join(import.meta.dirname, '../..');
const IMAGES = join(ROOT, 'docs/images');
const MEASUREMENTS = join(ROOT, '.services/dashboard-images');
const PERIOD = join(MEASUREMENTS, 'period.json');
const DASHBOARDS = ['overview', 'providers'];
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const { values: options } = parseArgs({ options: { 'draw-only': { type: 'boolean', default: false } } });
const programs = await fetchPrometheus(join(ROOT, '.services'));
if (!options['draw-only']) {
  rmSync(MEASUREMENTS, { recursive: true, force: true });
  const period = await measure({ root: ROOT, directory: MEASUREMENTS, programs });
  writeFileSync(PERIOD, JSON.stringify(period));
}
await draw(JSON.parse(readFileSync(PERIOD, 'utf8')) as Period);

async function draw(period: Period): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  // Without targets: it only answers queries about what it has stored.
  const prometheus = await startPrometheus(programs, { directory: MEASUREMENTS, jobs: {} });
  const browser = await chromium.launch({
    executablePath: CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  try {
    for (const name of DASHBOARDS) {
      const dashboard = await readDashboard(join(ROOT, `deployments/grafana/dashboards/${name}.json`), {
        url: prometheus.url,
        period,
      });
      const page = await browser.newPage({ viewport: { width: WIDTH, height: 1_000 } });
      await page.setContent(pageOf(dashboard, period));
      const cutOff = await page.evaluate<string[]>(
        `[...document.querySelectorAll('h2, ul')].filter((one) => one.scrollHeight > one.clientHeight + 1 ||
           one.scrollWidth > one.clientWidth + 1).map((one) => one.closest('section').querySelector('h2').textContent)`,
      );
      const file = join(IMAGES, `dashboard-${name}.png`);
      await page.screenshot({ path: file, fullPage: true });
      await page.close();
      const empty = dashboard.panels.filter(({ series, type }) => type !== 'row' && series.length === 0);
      console.log(`${file}: ${dashboard.panels.length} panels`);
      for (const title of cutOff) console.log(`  its title or legend does not fit: ${title}`);
      for (const { title } of empty) console.log(`  no data: ${title}`);
    }
  } finally {
    await browser.close();
    await prometheus.stop();
  }
}
