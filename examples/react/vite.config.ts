import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  // `tidings` is linked from this repository and has its own React for its tests: the page must
  // have one React only.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: { target: 'es2022' },
  // `npm run dev` beside `npm start` serves the page with hot reload, and forwards the API to the
  // backend.
  server: { port: 5174, proxy: { '/api': 'http://127.0.0.1:5173' } },
})
