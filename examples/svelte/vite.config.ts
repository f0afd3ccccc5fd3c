import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte()],
  // `tidings` is linked from this repository and has a Svelte of its own for its tests: the page must have one.
  resolve: { dedupe: ['svelte'] },
  build: { target: 'es2022' },
  // `npm run dev` beside `npm start`: the page with hot reload, the API from the backend.
  server: { port: 5174, proxy: { '/api': 'http://127.0.0.1:5173' } },
})
