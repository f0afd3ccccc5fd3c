// `node serve.mjs PAGES`: renders test pages as a server would, and prints what came of it.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { build } from 'esbuild'
import { compile } from 'svelte/compiler'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

const components = {
  name: 'components',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => ({
      contents: compile(await readFile(path, 'utf8'), { filename: path, generate: 'server' }).js.code,
    }))
  },
}

const folder = await mkdtemp(join(tmpdir(), 'tidings-serve-'))
try {
  const outfile = join(folder, 'serve.mjs')
  await build({
    entryPoints: [at('serve.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['svelte'],
    alias: { 'tidings/svelte': at('../../../src/svelte/index.ts') },
    plugins: [components],
    logLevel: 'warning',
  })
  const { serve } = await import(pathToFileURL(outfile).href)
  process.stdout.write(JSON.stringify(serve(JSON.parse(process.argv[2]))))
} finally {
  await rm(folder, { recursive: true, force: true })
}
