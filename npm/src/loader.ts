/** The compiled core: loaded once per page, whoever asks first. */

import { messageOf, TidingsError } from './error.js'
import * as glue from './glue.js'
import { saving, source as elsewhere, telling, world } from './later.js'
import type { WasmSource } from './types.js'


export type Code = WebAssembly.Module | Uint8Array<ArrayBuffer>

/** Where a build of the package finds its own core: whole, or what comes first and the rest. */
export interface Bundled {
  core(): Promise<Code>
  rest?(): Promise<Code>
}

/** The core, ready to make clients. */
export interface Loaded {
  readonly Core: typeof glue.Core
  /** Counts the instances of the module: a trap poisons one. */
  generation(): number
  /** Makes a new instance, unless that has happened since `generation`, and tells all who hold objects of the old one. */
  renew(generation: number): void
  onRenew(fn: () => void): () => void
  /** All of it is there. */
  whole(): boolean
  /** Loads what is not there yet. Rejects as loading the core does. */
  rest(): Promise<void>
}

let loading: Promise<Loaded> | undefined

/**
 * Loads the core, or answers with the one that is loaded. Rejects with `wasm_unavailable`, naming the cause; `retry` is true
 * where trying again may help.
 */
export function load(source: WasmSource | undefined, bundled: Bundled): Promise<Loaded> {
  loading ??= start(source, bundled).catch((error: unknown) => {
    loading = undefined
    return refused(error)
  })
  return loading
}

async function start(source: WasmSource | undefined, bundled: Bundled): Promise<Loaded> {
  const more = source === undefined ? bundled.rest : undefined
  const code = source === undefined ? bundled.core() : elsewhere().then(({ fetched }) => fetched(source))
  // A core that is there at once wants at once what the rest of one brings along.
  if (more === undefined) await Promise.all([code, saving(), world(), telling()])
  glue.initSync({ module: await compiled(await code) })
  let rest: WebAssembly.Module | undefined
  let whole = more === undefined
  let generation = 0
  /** Both parts are one program: the rest takes functions of the first from its table, by their places, and fills others. */
  const join = (rest: WebAssembly.Module) => {
    const { ...first } = glue.initSync()
    for (const { name } of WebAssembly.Module.imports(rest)) first[name] ??= (first.table as WebAssembly.Table).get(Number(name))
    new WebAssembly.Instance(rest, { first })
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
      if (rest !== undefined) join(rest)
      for (const fn of [...holders]) fn()
    },
    onRenew(fn) {
      holders.add(fn)
      return () => void holders.delete(fn)
    },
    whole: () => whole,
    async rest() {
      if (more === undefined) return
      const module = rest ?? (await more().then(compiled).catch(refused))
      // Another client may have waited for the same.
      if (rest === undefined) join((rest = module))
    },
  }
}

async function compiled(source: Code): Promise<WebAssembly.Module> {
  // Not by its class: where a host compiles, it may be another realm's.
  return ArrayBuffer.isView(source) ? WebAssembly.compile(source as Uint8Array<ArrayBuffer>) : source
}

/** Unpacks a module of `first.js` or `rest.js`. */
export async function unpack(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  const stream = new Response(packed).body?.pipeThrough(new DecompressionStream('deflate-raw'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Says why a core can't load, in words of a file of its own. Where that is out of reach as well, the network is to blame. */
async function refused(error: unknown): Promise<never> {
  if (error instanceof TidingsError) throw error
  const { why, retry } = await elsewhere().then(({ refusal }) => refusal(error), () => ({ why: messageOf(error), retry: true }))
  throw new TidingsError({ code: 'wasm_unavailable', fault: 'browser', retry, message: `The WebAssembly core can't load: ${why}.`, cause: error })
}
