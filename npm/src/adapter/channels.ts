import type { Channel, ChannelName, ChannelSnapshot, MessageOf, Tidings } from 'tidings'

import { channel } from '../channels.js'

/** The result of `useChannel`: the channel's snapshot and its functions. */
export type ChannelView<N extends ChannelName> = ChannelSnapshot<MessageOf<N>> & Pick<Channel<N>, 'publish' | 'loadMore' | 'on'>

/** The channel of a name. For `null`, an empty channel whose functions do nothing or reject. */
export function channelOf<N extends ChannelName>(client: Tidings, name: N | null): Channel<N> {
  return name === null ? (NONE as unknown as Channel<N>) : channel(client, name)
}

const EMPTY: ChannelSnapshot<never> = Object.freeze({
  status: 'idle',
  messages: Object.freeze([]),
  gap: null,
  hasMore: false,
  loadingMore: false,
  error: null,
})

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
