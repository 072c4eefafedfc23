// The health check of the image: exits with 0 if this container's role answers 200.
//
//   node healthcheck.mjs /livez
//
// The API serves it on METRICS_PORT or 9090, the worker on METRICS_PORT or 9091.

const path = process.argv[2] ?? '/livez';
const ports = process.env.METRICS_PORT ? [process.env.METRICS_PORT] : [9090, 9091];

async function check(port) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) throw new Error(`port ${port} answers ${response.status}: ${await response.text()}`);
}

try {
  await Promise.any(ports.map(check));
} catch (error) {
  console.error(error.errors.map((each) => each.message).join('\n'));
  process.exitCode = 1;
}
