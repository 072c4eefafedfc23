import react from '@vitejs/plugin-react';
import { defineConfig, loadEnv } from 'vite';

// `npm run dev:console` serves the sources and passes calls to a Carillon that runs on this port.
const target = `http://localhost:${loadEnv('development', import.meta.dirname, 'PORT')['PORT'] ?? 8080}`;
/** The API compares the origin of the page with the host that it is asked for, so the host stays. */
const api = { target, changeOrigin: false };

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  plugins: [react()],
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
