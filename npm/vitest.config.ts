import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Sources import the compiled core as it lies beside them in dist: `npm run build` puts it there. */
const compiledCore: Plugin = {
  name: 'compiled-core',
  enforce: 'pre',
  resolveId(id, importer) {
    const [, file] = /^(?:\.|\.\.\/\.\.\/src)\/((?:glue|first|rest)\.js)$/.exec(id) ?? []
    if (file === undefined || importer === undefined || importer.includes('/dist/')) return null
    const built = at(`./dist/${file}`)
    if (!existsSync(built)) throw new Error('the tests want the compiled core: run `npm run build` first')
    return built
  },
}

export default defineConfig({
  plugins: [compiledCore, svelte({ configFile: false, compilerOptions: { dev: true } })],
  resolve: {
    // Pages run in jsdom: without this Svelte would be the server's, where nothing is mounted.
    conditions: ['browser', 'module', 'default'],
    alias: [
      { find: /^tidings$/, replacement: at('./src/index.ts') },
      { find: /^tidings\/(react|svelte)$/, replacement: at('./src/$1/index.ts') },
      { find: /^tidings\/server$/, replacement: at('./src/server/index.ts') },
      { find: /^tidings\/(dev|wasm)$/, replacement: at('./src/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    exclude: ['test/pack/**'],
    environment: 'node',
    restoreMocks: true,
    unstubGlobals: true,
    typecheck: { enabled: false },
  },
})
