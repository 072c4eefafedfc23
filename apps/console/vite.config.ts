import { brotliCompressSync, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, loadEnv, type Plugin } from 'vite';

// `npm run dev:console` serves the sources and passes calls to a Carillon that runs on this port.
const target = `http://localhost:${loadEnv('development', import.meta.dirname, 'PORT')['PORT'] ?? 8080}`;
/** The API compares the origin of the page with the host that it is asked for, so the host stays. */
const api = { target, changeOrigin: false };

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  plugins: [react(), compressed()],
  build: {
    outDir: '../../dist/apps/console',
    emptyOutDir: true,
    // For the test of what a browser loads.
    manifest: true,
    target: 'es2023',
    // Files inside CSS or HTML would need `data:` in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // React and the component library in one file. test/console/figures checks the size that a browser loads.
    chunkSizeWarningLimit: 800,
  },
  server: { proxy: { '/console/session': api, '/console/oidc': api, '/api': api, '/internal': api } },
});

/** Writes each file also as `.gz` and `.br`, which the API sends to browsers that take them. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const file of Object.values(bundle)) {
          const content = Buffer.from(file.type === 'chunk' ? file.code : file.source);
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.gz`, source: gzipSync(content, { level: 9 }) });
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.br`, source: brotliCompressSync(content) });
        }
      },
    },
  };
}
