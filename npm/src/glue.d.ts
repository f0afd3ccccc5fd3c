/**
 * What wasm-bindgen makes of crates/client-wasm, as far as it is used. `dist/glue.js` is that glue, minified by the
 * build; crates/client-wasm/src/{core,host}.rs say what each function means.
 */

import type { Host } from './host.js'

export interface CoreOptions {
  readonly seed: number
  readonly instance: string
  readonly clientId: string
  readonly version: string
  readonly base: number
  readonly cap: number
  readonly maxAttempts: number | undefined
  readonly heartbeat: number
  readonly keep: number
  readonly storage: boolean
  readonly page: EventTarget | undefined
  readonly document: Document | undefined
  readonly signal: AbortSignal
}

export declare class Core {
  constructor(host: Host, options: CoreOptions)
  run(): void
  /** Something happened; calls.ts names the calls. */
  push(call: number, number?: number, detail?: number, text?: string, more?: string): void
  /** Reads a snapshot; calls.ts names them. */
  read(what: number, show?: number, kinds?: string): string
}

export declare function initSync(from: { module: WebAssembly.Module }): unknown
/** A new instance of the module; objects and closures of the old one throw from then on. */
export declare function __wbg_reset_state(): void
