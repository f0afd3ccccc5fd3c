/**
 * Makes wasm-bindgen's glue and module smaller than it leaves them: short names on the border, and no code for what
 * this package never does with it.
 *
 * wasm-bindgen is pinned, so its text is known. Every cut says how often it must fit; another version that writes
 * something else fails the build here instead of shipping a page that breaks.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** What the module uses, as in xtask/src/wasm/optimize.rs. */
const FEATURES = ['bulk-memory', 'bulk-memory-opt', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals', 'multivalue', 'reference-types']

const CUTS = [
  { why: 'cores are let go, not freed: the registry does that', fits: 1, cut: /^ {4}__destroy_into_raw\(\) \{[^]*?^ {4}\}\n {4}free\(\) \{[^]*?^ {4}\}\n/gm },
  { why: 'nor disposed of', fits: 1, cut: /^if \(Symbol\.dispose\).*\n/gm },
  { why: 'src/link.ts lets go of every core of an old instance', fits: 3, cut: /^ *if \(this\.__wbg_inst !== [^]*?\}\n/gm },
  { why: 'so nobody asks of which instance a core is', fits: 1, cut: /^ *Object\.defineProperty\(this, '__wbg_inst', .*\n/gm },
  { why: 'a new instance is never scheduled, src/loader.ts makes it', fits: null, cut: /^ *__wbg_call_guard\(\);\n/gm },
  { why: 'the same', fits: 1, cut: /^function __wbg_call_guard\(\) \{[^]*?^\}\n/gm },
  { why: 'the same', fits: 1, cut: /^let __wbg_reinit_scheduled = false;\n/gm },
  { why: 'the same', fits: 1, cut: /^ *__wbg_reinit_scheduled = false;\n/gm },
  { why: 'JavaScript makes numbers of arguments by itself', fits: null, cut: /(?<=const val\d+ = )\+/g },
  { why: 'every browser with DecompressionStream has it', fits: 2, cut: /\(typeof FinalizationRegistry === 'undefined'\)\n.*\n {4}: (?=new)/g },
  { why: 'and this too', fits: 1, cut: /^if \(!\('encodeInto' in cachedTextEncoder\)\) \{[^]*?^\}\n/gm },
  { why: '`realloc` is always there', fits: 1, cut: /^ {4}if \(realloc === undefined\) \{[^]*?^ {4}\}\n/gm },
  { why: 'both are always declared', fits: 2, cut: /^ *if \(typeof (numBytesDecoded|WASM_VECTOR_LEN) !== 'undefined'\) .*\n/gm },
  { why: 'a memory that grew has another buffer, on any engine', fits: 1, cut: /cachedDataViewMemory0 === null \|\| .*(?=\) \{\n)/g, put: 'cachedDataViewMemory0?.buffer !== wasm.memory.buffer' },
  { why: 'src/loader.ts calls it in the one right way', fits: 1, cut: /^ {4}if \(module !== undefined\) \{[^]*?^ {4}\}\n/gm, put: '    ({ module } = module)\n' },
  { why: 'with a compiled module', fits: 1, cut: /^ {4}if \(!\(module instanceof WebAssembly\.Module\)\) \{[^]*?^ {4}\}\n/gm },
]

/** The glue's text without what is cut. Throws where the text is not what it was when the cuts were written. */
export function trim(glue) {
  let trimmed = glue
  for (const { why, fits, cut, put = '' } of CUTS) {
    const found = trimmed.match(cut)?.length ?? 0
    if (found !== (fits ?? (found || 1))) throw new Error(`wasm-bindgen's glue has changed: ${cut} (${why}) fits ${found} times, not ${fits ?? 'once or more'}`)
    trimmed = trimmed.replace(cut, put)
  }
  return trimmed
}

/** Gives imports and exports short names, in the module at `from`, which goes to `to`, and in its glue. */
export function rename(glue, from, to) {
  const flags = ['--mvp-features', ...FEATURES.map((name) => `--enable-${name}`), '--minify-imports-and-exports-and-modules']
  const run = spawnSync(at('node_modules/.bin/wasm-opt'), [...flags, from, '-o', to], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`wasm-opt failed: ${run.stderr}`)
  const { imports, exports } = JSON.parse(run.stdout)
  let renamed = glue
  const swap = (found, put) => {
    const pieces = renamed.split(found)
    if (pieces.length < 2) throw new Error(`wasm-bindgen's glue does not name ${found}`)
    renamed = pieces.join(put)
  }
  for (const [, name, short] of imports) swap(`${name}: function`, `${short}: function`)
  swap('"./tidings_core_bg.js"', 'a')
  for (const [name, short] of exports) {
    // Kept for embedders of wasm-bindgen; the glue knows nothing of them.
    if (name.startsWith('__') && !renamed.includes(`wasm.${name}`)) continue
    renamed = renamed.replace(new RegExp(`wasm\\.${name}\\b`, 'g'), `wasm.${short}`)
  }
  return renamed
}
