'use client'
import { useCallback, useRef } from 'react'

import { watchSeen, type SeenItem } from '../adapter/seen-watcher.js'
import { useTidings } from './provider.js'

/**
 * A ref that marks an item seen once its element was half visible for 500 ms in a visible page.
 * Items that come into view together are marked in one call: `<li ref={useSeen(item)}>`.
 */
export function useSeen({ id, seen }: SeenItem): (element: Element | null) => void {
  const client = useTidings()
  const stop = useRef<(() => void) | null>(null)
  return useCallback(
    (element: Element | null) => {
      stop.current?.()
      stop.current = element !== null && !seen ? watchSeen(client, element, id) : null
    },
    [client, id, seen],
  )
}
