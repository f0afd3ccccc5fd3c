'use client'
import { useEffect, useState } from 'react'
import type { Connection } from 'tidings'

import { useTidings } from './provider.js'
import { useReadable } from './readable.js'

/**
 * The state of the connection, and the reason. `lost` turns true only after 5 s without a
 * connection, for banners that don't flicker.
 */
export function useConnection(): Connection {
  return useReadable(useTidings().connection)
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
export function useServerTime({ every = 1000 }: ServerTimeOptions = {}): number | null {
  const client = useTidings()
  const [now, setNow] = useState<number | null>(null)
  useEffect(() => {
    const read = (): void => setNow(client.now())
    const timer = setInterval(read, every)
    // The clock is known once connected: read it then, without waiting for the timer.
    const unsubscribe = client.connection.subscribe(read)
    return () => {
      clearInterval(timer)
      unsubscribe()
    }
  }, [client, every])
  return now
}
