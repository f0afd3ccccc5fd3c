/**
 * Shortens the names on the border between the wasm modules and the glue, with the same names on
 * both sides: this file renames them in the modules, esbuild renames them in src/glue.ts. The glue
 * uses wasm-bindgen's names without the parts that change with every compiler.
 */

import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { build } from 'esbuild'

/** Names that both sides share. Nothing else in the glue is named like these. */
const OF_BORDER = /^(__wb|__externref_|core_)/
/** The module name that wasm-bindgen's modules import from, and the short name that replaces it. */
const [GLUE, SHORT_GLUE] = ['./tidings_core_bg.js', 'a']
/** Sections of a module, and the only kind of import that wasm-bindgen makes. */
const [IMPORTS, EXPORTS, FUNCTION] = [2, 7, 0]

/**
 * Shortens the names of modules that share the glue, the same in all. Returns the modules, and the
 * names of imports and exports, from plain to short. Exports that the glue does not use (the
 * memory, for example) keep their names.
 */
export function shorten(modules) {
  const names = { imports: {}, exports: {} }
  const shortened = (module) => {
    const seen = new Set()
    return renamed(module, (side, name) => {
      const known = plain(name)
      if (!OF_BORDER.test(known)) return name
      if (seen.has(`${side} ${known}`)) throw new Error(`two ${side} of the module differ in hashes only: ${known}`)
      seen.add(`${side} ${known}`)
      const count = Object.keys(names.imports).length + Object.keys(names.exports).length
      return (names[side][known] ??= letters(count))
    })
  }
  return { modules: modules.map(shortened), names }
}

/**
 * Minifies the glue in place, with these names. Throws where one side uses a name that the other
 * side lacks.
 */
export async function minify(glue, { imports, exports }) {
  const text = await readFile(glue, 'utf8')
  for (const name of Object.keys(imports)) {
    if (!new RegExp(`\\b${name}[:(]`).test(text)) throw new Error(`src/glue.ts has not what the module imports: ${name}`)
  }
  const names = { ...imports, ...exports }
  const { mangleCache } = await build({
    entryPoints: [glue],
    outfile: glue,
    allowOverwrite: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
    mangleProps: OF_BORDER,
    mangleCache: names,
  })
  const unknown = Object.keys(mangleCache).filter((name) => !(name in names))
  if (unknown.length > 0) throw new Error(`the module does not export what src/glue.ts calls: ${unknown.join(', ')}`)
}

/**
 * wasm-bindgen's name without its hash. The function that calls closures is named after its path in
 * the crate, mangled or not.
 */
function plain(name) {
  return /closures.*invoke/.test(name) ? '__wbindgen_invoke' : name.replace(/_[0-9a-f]{16}$/, '')
}

function letters(count) {
  const letter = String.fromCharCode('a'.charCodeAt(0) + (count % 26))
  return count < 26 ? letter : letters(Math.floor(count / 26) - 1) + letter
}

/**
 * Returns the module with other names in its import and export sections. All other sections stay as
 * they are.
 */
function renamed(module, short) {
  const pieces = [module.subarray(0, 8)]
  let at = 8
  const number = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  const name = () => {
    const length = number()
    at += length
    return module.toString('utf8', at - length, at)
  }
  const entries = (one) => {
    const count = number()
    return [leb(count), ...Array.from({ length: count }, one)]
  }
  while (at < module.length) {
    const start = at
    const id = module[at++]
    const size = number()
    const end = at + size
    if (id !== IMPORTS && id !== EXPORTS) pieces.push(module.subarray(start, end))
    else {
      const section = Buffer.concat(
        entries(() => {
          if (id === EXPORTS) return Buffer.concat([written(short('exports', name())), Buffer.from([module[at++]]), leb(number())])
          const from = name()
          const imported = short('imports', name())
          if (from !== GLUE || module[at++] !== FUNCTION) throw new Error(`the module imports what is no function of its glue: ${from}, ${imported}`)
          return Buffer.concat([written(SHORT_GLUE), written(imported), Buffer.from([FUNCTION]), leb(number())])
        }),
      )
      pieces.push(Buffer.from([id]), leb(section.length), section)
    }
    at = end
  }
  return Buffer.concat(pieces)
}

/** Encodes a name as WebAssembly does: its length, then its bytes. */
function written(name) {
  const bytes = Buffer.from(name)
  return Buffer.concat([leb(bytes.length), bytes])
}

/** Encodes a number as unsigned LEB128. */
function leb(number) {
  return Buffer.from(number < 128 ? [number] : [(number % 128) + 128, ...leb(Math.floor(number / 128))])
}
