import { TRANSPORTS, type CoreOptions } from './generated/ops.js'
import { given } from './globals.js'
import type { TidingsOptions } from './types.js'

/**
 * A random name: of a client, so that its next connection replaces its last one, and of its lanes.
 */
export function randomName(): string {
  // These names are no secrets, so `Math.random` will do where a host has no better source.
  const parts = new Uint32Array(4).map(() => Math.random() * 2 ** 32)
  return [...(given('crypto')?.getRandomValues?.(parts) ?? parts)].map((part) => part.toString(36)).join('')
}

/** The options of a core, except whether it is loaded whole. */
export type Settings = CoreOptions extends [whole: boolean, ...settings: infer S] ? S : never

/** The options of a core. Each core gets new lanes, and the instance of its client. */
export function settings({ backoff = {}, heartbeat = 25_000, transports = TRANSPORTS, keep = 50, storage, signedOut }: TidingsOptions, instance: string): Settings {
  const { base = 1_000, cap = 30_000, maxAttempts = 0 } = backoff
  const durable = storage !== 'memory' && !!given('indexedDB')
  const [first, second, third] = transports.map((way) => TRANSPORTS.indexOf(way) + 1)
  // The seed is for jitter only.
  return [instance, randomName(), Math.random() * 2 ** 53, base, cap, maxAttempts, heartbeat, keep, durable, signedOut === 'keep', first, second, third]
}
