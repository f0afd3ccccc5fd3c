/**
 * `npm run build`: src/ and wasm/ → dist/.
 *
 * `cargo xtask wasm` writes wasm/; only its modules are used. border.mjs gives them and src/glue.ts
 * short names for each other. The core goes into dist twice: whole, as a file, and in two parts,
 * each packed into a module of text.
 */

import { Buffer } from 'node:buffer'
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import zopfli from '@gfx/zopfli'
import { build } from 'esbuild'
import { minify, shorten } from './border.mjs'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const exists = (path) => stat(at(path)).then(() => true, () => false)

if (!(await exists('wasm/tidings_core_bg.wasm'))) {
  console.error('npm/wasm is empty: run `cargo xtask wasm` first')
  process.exit(1)
}

await rm(at('dist'), { recursive: true, force: true })
await mkdir(at('dist'), { recursive: true })

const tsc = spawnSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('tsconfig.json')], { stdio: 'inherit' })
if (tsc.status !== 0) process.exit(tsc.status ?? 1)

const [whole, startup, deferred] = await Promise.all(['bg', 'startup', 'deferred'].map((part) => readFile(at(`wasm/tidings_core_${part}.wasm`))))
const { modules: [core, start], names } = shorten([whole, startup])
await minify(at('dist/glue.js'), names)
await writeFile(at('dist/core.wasm'), core)
for (const [part, module] of Object.entries({ startup: start, deferred })) {
  // Zopfli takes four seconds; in return every page gets the core 6 % sooner.
  const packed = await zopfli.deflateAsync(module, { numiterations: 15, blocksplitting: true, blocksplittingmax: 0 })
  await writeFile(at(`dist/${part}.js`), `export default '${Buffer.from(packed).toString('base64')}'\n`)
}
await inline()
for (const types of ['startup.d.ts', 'deferred.d.ts']) await cp(at(`src/${types}`), at(`dist/${types}`))
for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
  if (await exists(`../${licence}`)) await cp(at(`../${licence}`), at(licence))
}

/**
 * Bundles dist/inline.js with everything that it would load later. Its chunks are never loaded
 * again, because they are in the file.
 */
async function inline() {
  const once = { name: 'once', setup: ({ onLoad }) => onLoad({ filter: /chunk\.js$/ }, () => ({ contents: 'export const chunk = (load) => load' })) }
  const outfile = at('dist/inline.js')
  await build({ entryPoints: [outfile], outfile, allowOverwrite: true, bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none', logLevel: 'warning', plugins: [once] })
  if (/\bimport\(/.test(await readFile(outfile, 'utf8'))) throw new Error('dist/inline.js loads something: hosts without dynamic import() can\'t')
}
