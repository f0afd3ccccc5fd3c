'use client'
import { useMemo } from 'react'
import type { Channel, ChannelName, ChannelSnapshot, MessageOf } from 'tidings'

import { useTidings } from './provider.js'
import { useReadable } from './readable.js'

/** What {@link useChannel} returns: the channel's snapshot and what can be done in it. */
export type ChannelView<N extends ChannelName> = ChannelSnapshot<MessageOf<N>> & Pick<Channel<N>, 'publish' | 'loadMore' | 'on'>

/**
 * A channel, read while the component is mounted: `useChannel('room:42')`; `null` reads none. The result is a frozen
 * object, new when its content is; its functions are stable and need no `this`.
 */
export function useChannel<const N extends ChannelName>(name: N | null): ChannelView<N> {
  const client = useTidings()
  const channel = useMemo(() => (name === null ? null : client.channel(name)), [client, name])
  const snapshot = useReadable(channel ?? (NONE as unknown as Channel<N>))
  return useMemo(() => {
    const { publish, loadMore, on } = channel ?? (NONE as unknown as Channel<N>)
    return Object.freeze({ ...snapshot, publish, loadMore, on })
  }, [snapshot, channel])
}

const EMPTY: ChannelSnapshot<never> = Object.freeze({
  status: 'idle',
  messages: Object.freeze([]),
  gap: null,
  hasMore: false,
  loadingMore: false,
  error: null,
})

/** What there is to see and to do without a channel. */
const NONE = {
  initial: EMPTY,
  get: () => EMPTY,
  subscribe(fn: (value: ChannelSnapshot<never>) => void) {
    fn(EMPTY)
    return () => {}
  },
  publish: () => Promise.reject(new Error('There is no channel to publish to: useChannel was given null.')),
  loadMore: () => Promise.resolve(),
  on: () => () => {},
}
