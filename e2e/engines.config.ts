// The same scenarios in every browser engine that users have.
import { defineConfig } from '@playwright/test'

import { ENGINES } from './engines/driver/engine.ts'
import type { EngineOptions } from './engines/test.ts'
import type { Options } from './harness/test.ts'

export default defineConfig<Options, EngineOptions>({
  testDir: 'engines',
  outputDir: 'results/engines',
  globalSetup: './harness/build.ts',
  // Each worker has its own browser. The tests mostly wait for the network, which is slow on
  // purpose.
  workers: 2,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: 'list',
  projects: ENGINES.map(engine => ({ name: engine, use: { engine } })),
})
