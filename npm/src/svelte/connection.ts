import type { Connection } from 'tidings'

import { combined } from '../adapter/combined.js'
import { latest, valueOf, type MaybeGetter } from './getter.js'
import { useTidingsContext } from './provider.js'
import { current, fields, follow, type Current } from './readable.js'

/**
 * The state of the connection, and the reason. `lost` turns true only after 5 s without a
 * connection, for banners that don't flicker.
 */
export function useConnection(): Connection {
  const { client, mounted } = useTidingsContext()
  return Object.freeze(fields(() => client.connection, { keys: client.connection.initial, mounted }))
}

/** Options of {@link useServerTime}. */
export interface ServerTimeOptions {
  /** How often the time is read, in milliseconds; default 1000. */
  readonly every?: number | undefined
}

/**
 * The server's clock in milliseconds since 1970, read every `every` milliseconds. It is `null`
 * until the client knows it, and always on servers, so that hydration matches.
 */
export function useServerTime(options: MaybeGetter<ServerTimeOptions> = {}): Current<number | null> {
  const { client, mounted } = useTidingsContext()
  const clock = latest(
    () => valueOf(options).every ?? 1000,
    // The clock is known once connected: read it then, without waiting for the timer.
    (every) => combined<number | null>(null, [ticks(every), client.connection], client.now),
  )
  return current(follow(clock, mounted, (now) => now))
}

const ticks = (every: number) => ({
  subscribe(fn: () => void) {
    const timer = setInterval(fn, every)
    return () => clearInterval(timer)
  },
})
