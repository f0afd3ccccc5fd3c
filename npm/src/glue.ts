/**
 * The border to the module of crates/client-wasm, by hand: wasm-bindgen's own glue does several times as much, and every
 * page loads it. What its macros make of the crate is called here by the names it has there, less the hashes;
 * scripts/border.mjs shortens them on both sides, and fails the build where one side does not know the other's.
 */

import type { Host } from './host.js'

/** Random names and numbers, then the app's options; crates/client-wasm/src/core.rs says what each means. */
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
type Free = (a: number, b: number) => void

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly core_new: (host: Host, seed: number, ...rest: readonly (number | boolean)[]) => number
  readonly core_read: (core: number, what: number, show: number, ...rest: readonly number[]) => Text
  readonly core_run: (core: number, mono: number, wall: number) => void
  readonly core_tell: (core: number, what: number, number: number, other: number, ...text: Text) => void
  readonly __wbg_core_free: Free
  readonly __wbindgen_invoke: (a: number, b: number) => void
  readonly __wbindgen_destroy_closure: Free
  readonly __wbindgen_malloc: (length: number, align: number) => number
  readonly __wbindgen_free: (at: number, length: number, align: number) => void
  readonly __wbindgen_externrefs: WebAssembly.Table
  readonly __externref_table_alloc: () => number
  readonly __wbindgen_exn_store: (at: number) => void
  readonly __wbindgen_start: () => void
}

/** What an object of this side owns in an instance. */
type Owned = readonly [instance: Exports, free: Free, a: number, b: number]

let module: WebAssembly.Module
let wasm: Exports

/** What belonged to an instance that is gone went with it. */
const free = ([instance, destroy, a, b]: Owned) => {
  if (instance === wasm) destroy(a, b)
}
/** Some hosts have none: there a core lives as long as the module. */
const { FinalizationRegistry: Registry } = globalThis as Partial<typeof globalThis>
const registry = Registry && new Registry(free)

/** One client. */
export class Core {
  readonly #at: number

  constructor(host: Host, ...[seed, instance, clientId, ...rest]: readonly [...CoreOptions, whole: boolean]) {
    this.#at = wasm.core_new(host, seed, ...pass(instance), ...pass(clientId), ...rest)
    registry?.register(this, [wasm, wasm.__wbg_core_free, this.#at, 1])
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

/** Instantiates the module, if one is given; answers with what the instance exports. */
export function initSync(from?: { module: WebAssembly.Module }): WebAssembly.ModuleImports {
  if (from !== undefined) {
    module = from.module
    __wbg_reset_state()
  }
  return wasm as never
}

/** A new instance of the module. Cores of the old one must not be called any more. */
export function __wbg_reset_state(): void {
  // What scripts/border.mjs calls the one place it imports from.
  wasm = new WebAssembly.Instance(module, { a: imports }).exports as never
  wasm.__wbindgen_start()
}

/** Gives the module a text, which it frees. */
function pass(text: string): Text {
  const bytes = new TextEncoder().encode(text)
  const at = wasm.__wbindgen_malloc(bytes.length, 1)
  new Uint8Array(wasm.memory.buffer).set(bytes, at >>> 0)
  return [at, bytes.length]
}

/** Addresses come as signed numbers. A decoder of its own for each text, because those of Safari end after 2 GB. */
function copy(at: number, length: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array(wasm.memory.buffer, at >>> 0, length))
}

/** A closure of the module, which drops it, or forgets it: then the collector says when nobody can call it any more. */
function closure(a: number, b: number): Closure {
  const owned: Owned = [wasm, wasm.__wbindgen_destroy_closure, a, b]
  let holders = 1
  const call = () => {
    if (owned[0] !== wasm) return
    // It may be dropped while it runs.
    holders++
    try {
      wasm.__wbindgen_invoke(a, b)
    } finally {
      call.drop()
    }
  }
  call.drop = () => {
    if (--holders !== 0) return
    registry?.unregister(owned)
    free(owned)
  }
  registry?.register(call, owned, owned)
  return call
}

interface Closure {
  (): void
  drop(): void
}

/** The module learns of what is thrown, where it asks for that. */
function caught<A extends unknown[], R>(fn: (...args: A) => R) {
  return (...args: A): R | undefined => {
    try {
      return fn(...args)
    } catch (thrown) {
      const at = wasm.__externref_table_alloc()
      wasm.__wbindgen_externrefs.set(at, thrown)
      wasm.__wbindgen_exn_store(at)
      return undefined
    }
  }
}

const imports = {
  __wbg_turn: (host: Host) => host.turn(),
  __wbg_url(to: number, host: Host) {
    const [at, length] = pass(host.url())
    const memory = new DataView(wasm.memory.buffer, to >>> 0)
    memory.setInt32(0, at, true)
    memory.setInt32(4, length, true)
  },
  __wbg_opened: (host: Host, socket: WebSocket, transport: number) => host.opened(socket, transport),
  __wbg_say: (host: Host, what: number, number: number, at: number, length: number) => host.say(what, number, copy(at, length)),
  __wbg_new: caught((at: number, length: number) => new WebSocket(copy(at, length))),
  __wbg_send: caught((socket: WebSocket, at: number, length: number) => socket.send(copy(at, length))),
  __wbg_close: caught((socket: WebSocket, code: number) => socket.close(code)),
  __wbg_setTimeout: (fn: Closure, delay: number) => setTimeout(fn, delay),
  __wbg_clearTimeout: (timer: number) => clearTimeout(timer),
  __wbindgen_generic: closure,
  __wbg__wbg_cb_unref: (fn: Closure) => fn.drop(),
  __wbg___wbindgen_throw(at: number, length: number) {
    throw new Error(copy(at, length))
  },
  __wbindgen_init_externref_table() {
    const table = wasm.__wbindgen_externrefs
    table.set(0, undefined)
    ;[undefined, null, true, false].forEach((constant, place) => table.set(1024 + place, constant))
  },
}
