import { defineConfig } from '@playwright/test'

import { CHROMIUM_ARGS, CHROMIUM_PATH } from './harness/chromium.ts'
import type { Options } from './harness/test.ts'

export default defineConfig<Options>({
  testDir: 'tests',
  outputDir: 'results/failures',
  globalSetup: './harness/build.ts',
  // One test after the other: each has its own server, backend and browser profile, and there may
  // be only two cores.
  workers: 1,
  retries: 0,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: 'list',
  // Features of the SDK and the server are tested over one example; parts that an adapter can
  // break, over each.
  projects: [
    { name: 'react', use: { framework: 'react' } },
    { name: 'svelte', use: { framework: 'svelte' }, grep: /@every-framework/ },
  ],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en',
    trace: 'retain-on-failure',
    launchOptions: { executablePath: CHROMIUM_PATH, args: CHROMIUM_ARGS },
  },
})
