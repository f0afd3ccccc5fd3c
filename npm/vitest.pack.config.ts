import { defineConfig } from 'vitest/config'

/** `npm run test:pack`: slow, and wants a browser; apart from the others for both reasons. */
export default defineConfig({
  test: { include: ['test/pack/**/*.test.ts'], environment: 'node', testTimeout: 180_000, hookTimeout: 180_000 },
})
