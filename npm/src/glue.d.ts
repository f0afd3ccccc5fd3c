/**
 * What wasm-bindgen makes of crates/client-wasm, as far as it is used. `dist/glue.js` is that glue, minified by the
 * build; crates/client-wasm/src/{core,host,words}.rs say what each function and number means.
 */

import type { Host } from './host.js'

/** Random names and numbers, then the app's options. */
export type CoreOptions = readonly [
  seed: number,
  instance: string,
  clientId: string,
  base: number,
  cap: number,
  maxAttempts: number,
  heartbeat: number,
  keep: number,
  storage: boolean,
]

export declare class Core {
  constructor(host: Host, ...options: readonly [...CoreOptions, whole: boolean])
  run(mono: number, wall: number): void
  tell(what: number, number: number, other: number, text: string): void
  read(what: number, show: number, kinds: string, mono: number, wall: number): string
}

/** Instantiates the module, if none is; answers with what it exports. */
export declare function initSync(from?: { module: WebAssembly.Module }): WebAssembly.ModuleImports
/** A new instance of the module; objects and closures of the old one throw from then on. */
export declare function __wbg_reset_state(): void
