// `npm run first-inbox` measures the time until a page shows its first inbox.
import base from './playwright.config.ts'

const { projects: _, use, ...rest } = base

export default {
  ...rest,
  testDir: 'first-inbox',
  timeout: 3 * 3_600_000,
  outputDir: 'results/first-inbox',
  // A trace would take its own time.
  use: { ...use, trace: 'off' as const },
}
