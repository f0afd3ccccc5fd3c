/**
 * `npm run build`: src/ and wasm/ → dist/.
 *
 * wasm/ is what `cargo xtask wasm` leaves there. The glue is minified and stripped of what the package does not call
 * (its own fetching loader among it); the module goes into dist twice: whole, as a file, and in its two parts, each
 * packed into a module of text.
 */

import { Buffer } from 'node:buffer'
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import zopfli from '@gfx/zopfli'

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

await build({
  stdin: { contents: `export { Core, initSync, __wbg_reset_state } from './wasm/tidings_core.js'`, resolveDir: at('.') },
  outfile: at('dist/glue.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
})
await cp(at('wasm/tidings_core_bg.wasm'), at('dist/core.wasm'))
for (const part of ['first', 'rest']) {
  const core = await readFile(at(`wasm/tidings_core_${part}.wasm`))
  // Zopfli takes four seconds, and every page that loads the core gets it 6 % sooner.
  const packed = await zopfli.deflateAsync(core, { numiterations: 15, blocksplitting: true, blocksplittingmax: 0 })
  await writeFile(at(`dist/${part}.js`), `export default '${Buffer.from(packed).toString('base64')}'\n`)
}
for (const types of ['glue.d.ts', 'first.d.ts', 'rest.d.ts']) await cp(at(`src/${types}`), at(`dist/${types}`))
for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
  if (await exists(`../${licence}`)) await cp(at(`../${licence}`), at(licence))
}
