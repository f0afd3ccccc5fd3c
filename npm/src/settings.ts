import type { CoreOptions } from './glue.js'
import type { TidingsOptions } from './types.js'
import { VERSION } from './version.js'

/** A random name: of a client, so that its next connection replaces its last, and of the lanes of its intents. */
export function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What a core is made with. Its lanes are its own; the instance is that of the client it serves. */
export function settings(options: TidingsOptions, instance: string, signal: AbortSignal): CoreOptions {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  const { base = 1_000, cap = 30_000, maxAttempts } = options.backoff ?? {}
  return {
    seed: (high >>> 11) * 2 ** 32 + low,
    instance,
    clientId: randomName(),
    version: VERSION,
    base,
    cap,
    maxAttempts,
    heartbeat: options.heartbeat ?? 25_000,
    keep: options.keep ?? 50,
    storage: options.storage !== 'memory' && typeof indexedDB !== 'undefined',
    // Node has neither; a worker has no document.
    page: typeof addEventListener === 'function' ? globalThis : undefined,
    document: typeof document === 'undefined' ? undefined : document,
    signal,
  }
}
