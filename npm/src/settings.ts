import { given } from './globals.js'
import type { CoreOptions } from './glue.js'
import { TRANSPORTS } from './options.js'
import type { TidingsOptions } from './types.js'

/**
 * A random name: of a client, so that its next connection replaces its last one, and of its lanes.
 */
export function randomName(): string {
  // These names are no secrets, so `Math.random` will do where a host has no better source.
  const parts = new Uint32Array(4).map(() => Math.random() * 2 ** 32)
  return [...(given('crypto')?.getRandomValues?.(parts) ?? parts)].map((part) => part.toString(36)).join('')
}

/** The options of a core. Each core gets new lanes, and the instance of its client. */
export function settings({ backoff = {}, heartbeat = 25_000, transports = TRANSPORTS, keep = 50, storage, signedOut }: TidingsOptions, instance: string): CoreOptions {
  const { base = 1_000, cap = 30_000, maxAttempts = 0 } = backoff
  const durable = storage !== 'memory' && !!given('indexedDB')
  // A transport's number is the length of its name minus 2. Each takes two bits, the first one the
  // lowest; their count is in the bits above.
  const ways = transports.reduce((ways, { length }, place) => ways + (length - 2) * 4 ** place, transports.length * 64)
  // The seed is for jitter only.
  return [Math.random() * 2 ** 53, instance, randomName(), base, cap, maxAttempts, heartbeat, ways, keep, durable, signedOut === 'keep']
}
