import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte()],
  // `tidings` is linked from this repository and has its own Svelte for its tests: the page must
  // have one Svelte only.
  resolve: { dedupe: ['svelte'] },
  build: { target: 'es2022' },
  // `npm run dev` beside `npm start` serves the page with hot reload, and forwards the API to the
  // backend.
  server: { port: 5174, proxy: { '/api': 'http://127.0.0.1:5173' } },
})
