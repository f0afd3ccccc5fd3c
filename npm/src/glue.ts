/**
 * The border to the module of crates/client-wasm, written by hand: wasm-bindgen's own glue is
 * several times as large, and every page loads it. The exports that wasm-bindgen generates are
 * called by their names, without the hashes. scripts/border.mjs shortens the names on both sides,
 * and fails the build if one side does not know a name of the other.
 */

import type { CoreOptions, InboundOp, OutboundOp, ReadOp } from './generated/ops.js'
import type { Host } from './host.js'

/** A text in the module's memory. */
type Text = readonly [at: number, length: number]
type Field = string | number | boolean
interface Exports {
  readonly memory: WebAssembly.Memory
  readonly core_new: (host: number, ...options: readonly (number | boolean | undefined)[]) => number
  readonly core_read: (core: number, op: number, at: number, length: number, mono: number, wall: number, ...numbers: readonly (number | boolean)[]) => Text
  readonly core_run: (core: number, mono: number, wall: number) => void
  readonly core_tell: (core: number, op: number, at: number, length: number, ...numbers: readonly (number | boolean)[]) => void
  readonly __wbg_core_free: (core: number, alone: number) => void
  readonly __wbindgen_malloc: (length: number, align: number) => number
  readonly __wbindgen_free: (at: number, length: number, align: number) => void
  readonly __wbindgen_start: () => void
}

let module: WebAssembly.Module
let wasm: Exports
/** Hosts of the instance's cores, by the number that each core was created with. */
const hosts = new Map<number, Host>()
let last = 0

/** The core of one client. */
export class Core {
  readonly #host = ++last
  readonly #at: number

  constructor(host: Host, ...[whole, instance, clientId, ...options]: CoreOptions) {
    hosts.set(this.#host, host)
    this.#at = wasm.core_new(this.#host, whole, ...pass([instance]), ...pass([clientId]), ...options)
  }

  /**
   * Frees its memory, unless the whole instance was replaced. The core must not be running, and
   * must not be called again.
   */
  free(): void {
    if (hosts.delete(this.#host)) wasm.__wbg_core_free(this.#at, 1)
  }

  run(mono: number, wall: number): void {
    wasm.core_run(this.#at, mono, wall)
  }

  tell(...[op, ...fields]: InboundOp): void {
    wasm.core_tell(this.#at, op, ...pass(fields), ...numbers(fields))
  }

  read(mono: number, wall: number, ...[op, ...fields]: ReadOp): string {
    const [at, length] = wasm.core_read(this.#at, op, ...pass(fields), mono, wall, ...numbers(fields))
    const text = copy(at, length)
    wasm.__wbindgen_free(at, length, 1)
    return text
  }
}

/** Instantiates the module, if one is given. Returns the exports of the instance. */
export function initSync(from?: { module: WebAssembly.Module }): WebAssembly.ModuleImports {
  if (from !== undefined) {
    module = from.module
    __wbg_reset_state()
  }
  return wasm as never
}

/** Makes a new instance of the module. Cores of the old one must not be called any more. */
export function __wbg_reset_state(): void {
  hosts.clear()
  // `a` is the module name that scripts/border.mjs gives the imports.
  wasm = new WebAssembly.Instance(module, { a: imports }).exports as never
  wasm.__wbindgen_start()
}

/** The numbers among fields. The module reads a missing one as 0, as it reads `false`. */
function numbers(fields: readonly Field[]) {
  return fields.filter((field) => typeof field !== 'string')
}

/** Copies the texts among fields into the module's memory, as one text. The module frees it. */
function pass(fields: readonly Field[]): Text {
  const bytes = new TextEncoder().encode(fields.filter((field) => typeof field === 'string').join('\n'))
  const at = wasm.__wbindgen_malloc(bytes.length, 1)
  new Uint8Array(wasm.memory.buffer).set(bytes, at >>> 0)
  return [at, bytes.length]
}

/**
 * Copies a text out of the module's memory. Addresses come as signed numbers. Each text gets its
 * own decoder, because a decoder of Safari fails after 2 GB.
 */
function copy(at: number, length: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array(wasm.memory.buffer, at >>> 0, length))
}

const imports = {
  __wbg_turn: (host: number) => hosts.get(host)?.turn(),
  __wbg_say: (host: number, op: number, number: number, at: number, length: number) => hosts.get(host)?.say(...([op, number, copy(at, length)] as OutboundOp)),
  // No object crosses the border: the table stays empty.
  __wbindgen_init_externref_table() {},
  __wbg___wbindgen_throw(at: number, length: number) {
    throw new Error(copy(at, length))
  },
}
