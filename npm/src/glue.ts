/**
 * The border to the module of crates/client-wasm, written by hand: wasm-bindgen's own glue is
 * several times as large, and every page loads it. The exports that wasm-bindgen generates are
 * called by their names, without the hashes. scripts/border.mjs shortens the names on both sides,
 * and fails the build if one side does not know a name of the other.
 */

import type { Host } from './host.js'

/**
 * Random names and numbers, then the app's options; crates/client-wasm/src/core.rs explains each.
 */
export type CoreOptions = readonly [
  seed: number,
  instance: string,
  clientId: string,
  base: number,
  cap: number,
  maxAttempts: number,
  heartbeat: number,
  transports: number,
  keep: number,
  storage: boolean,
  keepSignedOut: boolean,
]

/** A text in the module's memory. */
type Text = readonly [at: number, length: number]
interface Exports {
  readonly memory: WebAssembly.Memory
  readonly core_new: (host: number, seed: number, ...rest: readonly (number | boolean)[]) => number
  readonly core_read: (core: number, what: number, show: number, ...rest: readonly number[]) => Text
  readonly core_run: (core: number, mono: number, wall: number) => void
  readonly core_tell: (core: number, what: number, number: number, other: number, ...text: Text) => void
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

  constructor(host: Host, ...[seed, instance, clientId, ...rest]: readonly [...CoreOptions, whole: boolean]) {
    hosts.set(this.#host, host)
    this.#at = wasm.core_new(this.#host, seed, ...pass(instance), ...pass(clientId), ...rest)
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

  tell(what: number, number: number, other: number, text: string): void {
    wasm.core_tell(this.#at, what, number, other, ...pass(text))
  }

  read(what: number, show: number, kinds: string, mono: number, wall: number): string {
    const [at, length] = wasm.core_read(this.#at, what, show, ...pass(kinds), mono, wall)
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

/** Copies a text into the module's memory. The module frees it. */
function pass(text: string): Text {
  const bytes = new TextEncoder().encode(text)
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
  __wbg_say: (host: number, what: number, number: number, at: number, length: number) => hosts.get(host)?.say(what, number, copy(at, length)),
  // No object crosses the border: the table stays empty.
  __wbindgen_init_externref_table() {},
  __wbg___wbindgen_throw(at: number, length: number) {
    throw new Error(copy(at, length))
  },
}
