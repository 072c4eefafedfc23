import type { ListedLine } from './page-script.js';

const FUNCTIONS = 'test/documentation/page-functions.sh';
const npmCi = { line: 'npm ci', reason: 'would replace the packages of the running tests', checkedBy: '.ci/run' };
const compose = { reason: 'needs Docker; its profiles, services and variables are checked', checkedBy: FUNCTIONS };
const image = {
  reason: 'needs Docker; the steps of the Dockerfile run',
  checkedBy: 'test/deployments/image.int-spec.ts',
};
const cluster = {
  reason: 'needs a cluster; the chart is rendered and checked',
  checkedBy: 'test/deployments/chart.int-spec.ts',
};
const bench = { reason: 'takes minutes; the smallest size runs', checkedBy: '.ci/run' };

/**
 * All shell lines of the pages that do not run in the test as they are, with the reason and the file that checks them
 * instead. Those of page-functions.sh run in another way.
 */
export const NOT_RUN: readonly ListedLine[] = [
  { page: 'README.md', ...npmCi },
  { page: 'README.md', line: 'npm test', reason: 'runs this test', checkedBy: '.ci/run' },
  {
    page: 'CONTRIBUTING.md',
    line: 'docker compose -f deployments/compose.yaml up --detach redis kafka',
    ...compose,
  },
  {
    page: 'deployments/kubernetes/carillon/README.md',
    line: 'docker build -f deployments/docker/Dockerfile -t registry.example.com/carillon:0.1.0 .',
    ...image,
  },
  {
    page: 'deployments/kubernetes/carillon/README.md',
    line: 'docker push registry.example.com/carillon:0.1.0',
    ...image,
  },
  { page: 'deployments/kubernetes/carillon/README.md', line: 'kubectl create namespace carillon', ...cluster },
  {
    page: 'deployments/kubernetes/carillon/README.md',
    line: `kubectl --namespace carillon create secret generic carillon \\
  --from-literal=DATABASE_URL=postgresql://carillon:…@postgres.example.com:5432/carillon \\
  --from-literal=MASTER_KEY=$(openssl rand -hex 32) --from-literal=ADMIN_TOKEN=$(openssl rand -hex 32)`,
    ...cluster,
  },
  {
    page: 'deployments/kubernetes/carillon/README.md',
    line: `helm install carillon deployments/kubernetes/carillon --namespace carillon --wait \\
  --set image.repository=registry.example.com/carillon --set existingSecret=carillon \\
  --set config.PUBLIC_URL=https://notify.example.com`,
    reason: 'needs a cluster; runs as `helm template`',
    checkedBy: FUNCTIONS,
  },
  {
    page: 'deployments/kubernetes/carillon/README.md',
    line: `kubectl --namespace carillon create secret generic carillon-certificates \\
  --from-file=ca.crt --from-file=tls.crt --from-file=tls.key`,
    ...cluster,
  },
  { page: 'docs/benchmarks.md', ...npmCi },
  {
    page: 'docs/benchmarks.md',
    line: 'npm run bench                                # all scenarios, small size: ten minutes; full size: half an hour',
    ...bench,
  },
  {
    page: 'docs/benchmarks.md',
    line: 'npm run bench -- --only B1,B4 --size full    # some scenarios, full size',
    ...bench,
  },
  {
    page: 'docs/benchmarks.md',
    line: 'npm run bench -- --profile profiles          # writes a CPU profile of each process into the folder',
    ...bench,
  },
  {
    page: 'docs/deployment.md',
    line: 'docker build -f deployments/docker/Dockerfile -t carillon:0.1.0 .',
    ...image,
  },
  {
    page: 'docs/deployment.md',
    line: 'docker compose -f deployments/compose.yaml --profile minimal up --build --wait',
    ...compose,
  },
  {
    page: 'docs/deployment.md',
    line: 'docker compose -f deployments/compose.yaml --profile minimal --profile observability up --build --wait',
    ...compose,
  },
  { page: 'docs/deployment.md', ...npmCi },
  {
    page: 'docs/observability.md',
    line: 'docker run --rm -p 4318:4318 -v ./collector.yaml:/etc/otelcol/config.yaml otel/opentelemetry-collector',
    reason: 'needs Docker; a receiver of OTLP gets the traces of the processes',
    checkedBy: 'test/traces.e2e-spec.ts',
  },
];
