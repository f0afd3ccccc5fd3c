// `node bundle.mjs OUT`: bundles `serve.ts` into a program that renders test pages on a server,
// with Node alone.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

// The tests may choose an older Svelte than the newest.
const svelte = process.env.SVELTE ?? 'svelte'
const { compile } = await import(`${svelte}/compiler`)
const at = (path) => fileURLToPath(new URL(path, import.meta.url))

const components = {
  name: 'components',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => ({
      contents: compile(await readFile(path, 'utf8'), { filename: path, generate: 'server' }).js.code,
    }))
  },
}

await build({
  entryPoints: [at('serve.ts')],
  outfile: process.argv[2],
  bundle: true,
  platform: 'node',
  format: 'esm',
  conditions: ['svelte'],
  alias: { svelte, 'tidings/svelte': at('../../../src/svelte/index.ts') },
  plugins: [components],
  logLevel: 'warning',
})
