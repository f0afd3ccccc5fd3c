/** The compiled core, loaded once per page and shared by all clients. */

import { messageOf, TidingsError } from './error.js'
import * as glue from './glue.js'
import { saving, source as elsewhere, logging, io } from './lazy.js'
import type { WasmSource } from './types.js'


export type Code = WebAssembly.Module | Uint8Array<ArrayBuffer>

/** Where a build of the package finds its own core: whole, or as a first part and the rest. */
export interface Bundled {
  core(): Promise<Code>
  deferred?(): Promise<Code>
}

/** The loaded core, ready to create clients. */
export interface Loaded {
  readonly Core: typeof glue.Core
  /** The number of the current module instance. A trap makes an instance unusable. */
  generation(): number
  /**
   * Makes a new instance, unless there is one newer than `generation`, and calls all `onRenew`
   * listeners.
   */
  renew(generation: number): void
  onRenew(fn: () => void): () => void
  /** Whether the whole core is loaded. */
  whole(): boolean
  /** Loads the rest, if it is missing. Rejects like `load`. */
  deferred(): Promise<void>
}

let loading: Promise<Loaded> | undefined

/**
 * Loads the core, or returns the loaded one. Rejects with `wasm_unavailable` and the cause; `retry`
 * is true if trying again may help.
 */
export function load(source: WasmSource | undefined, bundled: Bundled): Promise<Loaded> {
  loading ??= start(source, bundled).catch((error: unknown) => {
    loading = undefined
    return refused(error)
  })
  return loading
}

async function start(source: WasmSource | undefined, bundled: Bundled): Promise<Loaded> {
  const more = source === undefined ? bundled.deferred : undefined
  const code = source === undefined ? bundled.core() : elsewhere().then(({ fetched }) => fetched(source))
  // A core in one part needs the deferred files at once, because it starts whole.
  if (more === undefined) await Promise.all([code, saving(), io(), logging()])
  glue.initSync({ module: await compiled(await code) })
  let deferred: WebAssembly.Module | undefined
  let whole = more === undefined
  let generation = 0
  /**
   * Both parts are one program: the rest imports functions of the first part from its table by
   * index, and fills other table entries.
   */
  const join = (deferred: WebAssembly.Module) => {
    const { ...startup } = glue.initSync()
    for (const { name } of WebAssembly.Module.imports(deferred)) startup[name] ??= (startup.table as WebAssembly.Table).get(Number(name))
    new WebAssembly.Instance(deferred, { startup })
    whole = true
  }
  const holders = new Set<() => void>()
  return {
    Core: glue.Core,
    generation: () => generation,
    renew(seen) {
      if (seen !== generation) return
      generation += 1
      glue.__wbg_reset_state()
      if (deferred !== undefined) join(deferred)
      for (const fn of [...holders]) fn()
    },
    onRenew(fn) {
      holders.add(fn)
      return () => void holders.delete(fn)
    },
    whole: () => whole,
    async deferred() {
      if (more === undefined) return
      const module = deferred ?? (await more().then(compiled).catch(refused))
      // Another client may have loaded the rest meanwhile.
      if (deferred === undefined) join((deferred = module))
    },
  }
}

async function compiled(source: Code): Promise<WebAssembly.Module> {
  // Checked without its class, because a host that compiles may use one of another realm.
  return ArrayBuffer.isView(source) ? WebAssembly.compile(source as Uint8Array<ArrayBuffer>) : source
}

/** Unpacks a module of `startup.js` or `deferred.js`. */
export async function unpack(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  const stream = new Response(packed).body?.pipeThrough(new DecompressionStream('deflate-raw'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/**
 * Explains why a core can't load. The explanation is in a file of its own; if that file can't load
 * either, the network is to blame.
 */
async function refused(error: unknown): Promise<never> {
  if (error instanceof TidingsError) throw error
  const { why, retry } = await elsewhere().then(({ refusal }) => refusal(error), () => ({ why: messageOf(error), retry: true }))
  throw new TidingsError({ code: 'wasm_unavailable', fault: 'browser', retry, message: `The WebAssembly core can't load: ${why}.`, cause: error })
}
