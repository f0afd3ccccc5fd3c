import { defineConfig } from 'vitest/config'

/** `npm run test:pack`: apart from the other tests, because it is slow and needs a browser. */
export default defineConfig({
  test: { include: ['test/pack/**/*.test.ts'], environment: 'node', testTimeout: 180_000, hookTimeout: 180_000 },
})
