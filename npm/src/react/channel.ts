'use client'
import { useMemo } from 'react'
import type { ChannelName } from 'tidings'

import { channelOf, type ChannelView } from '../adapter/channels.js'
import { useTidings } from './provider.js'
import { useReadable } from './readable.js'

/**
 * A channel that is read while the component is mounted: `useChannel('room:42')`. `null` reads
 * none. The result is a frozen object, which is new when its content changed. Its functions are
 * stable and need no `this`.
 */
export function useChannel<const N extends ChannelName>(name: N | null): ChannelView<N> {
  const client = useTidings()
  const channel = useMemo(() => channelOf(client, name), [client, name])
  const snapshot = useReadable(channel)
  return useMemo(() => {
    const { publish, loadMore, on } = channel
    return Object.freeze({ ...snapshot, publish, loadMore, on })
  }, [snapshot, channel])
}
