import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vitest/config'

import { OLDEST, oldestSvelte } from './test/adapters/svelte/oldest.js'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/**
 * Sources import the compiled core as if it were beside them; `npm run build` puts it into dist.
 */
const compiledCore: Plugin = {
  name: 'compiled-core',
  enforce: 'pre',
  resolveId(id, importer) {
    const [, file] = /^(?:\.|\.\.\/\.\.\/src)\/((?:glue|startup|deferred)\.js)$/.exec(id) ?? []
    if (file === undefined || importer === undefined || importer.includes('/dist/')) return null
    const built = at(`./dist/${file}`)
    if (!existsSync(built)) throw new Error('the tests want the compiled core: run `npm run build` first')
    return built
  },
}

export default defineConfig({
  plugins: [compiledCore],
  resolve: {
    // Pages run in jsdom. Without this condition Svelte resolves to its server build, which mounts
    // nothing.
    conditions: ['browser', 'module', 'default'],
    alias: [
      { find: /^tidings$/, replacement: at('./src/index.ts') },
      { find: /^tidings\/(react|svelte)$/, replacement: at('./src/$1/index.ts') },
      { find: /^tidings\/server$/, replacement: at('./src/server/index.ts') },
      { find: /^tidings\/(channels|dev|wasm)$/, replacement: at('./src/$1.ts') },
    ],
  },
  test: {
    environment: 'node',
    restoreMocks: true,
    unstubGlobals: true,
    typecheck: { enabled: false },
    // Only a broken run reaches these limits; a busy machine is slow to start a process.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        plugins: [svelte({ configFile: false, compilerOptions: { dev: true } })],
        test: { name: 'tests', include: ['test/**/*.test.{ts,tsx}'], exclude: ['test/pack/**'] },
      },
      {
        extends: true,
        plugins: [oldestSvelte],
        resolve: { alias: [{ find: /^svelte(?=\/|$)/, replacement: OLDEST }] },
        test: {
          name: 'oldest Svelte',
          include: ['test/adapters/svelte/svelte.test.ts'],
          env: { SVELTE: OLDEST },
          server: { deps: { inline: [/svelte/, /esm-env/] } },
        },
      },
    ],
  },
})
