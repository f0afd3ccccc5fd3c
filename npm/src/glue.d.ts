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
  connect(): void
  disconnect(): void
  retry(): void
  close(): void
  setUser(user: string | null | undefined): void
  signOut(discard: boolean): void
  mark(intent: number, ids: string[] | undefined, seen?: boolean, read?: boolean, archived?: boolean): void
  more(intent: number, show: number, kinds: string[]): void
  retryFailed(id: number, intent: number): void
  discardFailed(id: number): void
  ticketed(attempt: number, kind: number, text: string): void
  loaded(user: string, saved: string | undefined): void
  storageFailed(reason: string): void
  connection(): string
  inbox(show: number, kinds: string[]): string
  outbox(): string
  serverTime(): number | undefined
  explain(): string
}

export declare function initSync(from: { module: WebAssembly.Module }): unknown
/** A new instance of the module; objects and closures of the old one throw from then on. */
export declare function __wbg_reset_state(): void
