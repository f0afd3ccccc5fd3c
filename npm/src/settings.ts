import { given } from './globals.js'
import type { CoreOptions } from './glue.js'
import { TRANSPORTS } from './options.js'
import type { TidingsOptions } from './types.js'

/** A random name: of a client, so that its next connection replaces its last, and of the lanes of its intents. */
export function randomName(): string {
  // No secrets: where a host has no better chance than this, it will do.
  const parts = new Uint32Array(4).map(() => Math.random() * 2 ** 32)
  return [...(given('crypto')?.getRandomValues?.(parts) ?? parts)].map((part) => part.toString(36)).join('')
}

/** What a core is made with. Its lanes are its own; the instance is that of the client it serves. */
export function settings({ backoff = {}, heartbeat = 25_000, transports = TRANSPORTS, keep = 50, storage, signedOut }: TidingsOptions, instance: string): CoreOptions {
  const { base = 1_000, cap = 30_000, maxAttempts = 0 } = backoff
  const durable = storage !== 'memory' && !!given('indexedDB')
  // Each by the length of its name less two, in two bits of its own: the first in the lowest. Above them, their number.
  const ways = transports.reduce((ways, { length }, place) => ways + (length - 2) * 4 ** place, transports.length * 64)
  // The seed is for jitter only.
  return [Math.random() * 2 ** 53, instance, randomName(), base, cap, maxAttempts, heartbeat, ways, keep, durable, signedOut === 'keep']
}
