'use client'
import { useEffect, useInsertionEffect, useRef } from 'react'
import type { TidingsEvents } from 'tidings'

import { useTidings } from './provider.js'

/**
 * Calls `fn` on each event: `useTidingsEvent('arrived', item => toast(item.title))`. `fn` may be
 * written inline: the latest one is called, and a new one does not subscribe again.
 */
export function useTidingsEvent<E extends keyof TidingsEvents>(event: E, fn: (happened: TidingsEvents[E]) => void): void {
  const client = useTidings()
  const latest = useRef(fn)
  // Runs before layout effects, so that an event raised by a layout effect calls the function of
  // this render.
  useInsertionEffect(() => {
    latest.current = fn
  }, [fn])
  useEffect(() => client.on(event, happened => latest.current(happened)), [client, event])
}
