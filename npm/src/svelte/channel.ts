import { untrack } from 'svelte'
import type { ChannelName, ChannelSnapshot, MessageOf } from 'tidings'

import { channelOf, type ChannelView } from '../adapter/channels.js'
import { latest, valueOf, type MaybeGetter } from './getter.js'
import { useTidingsContext } from './provider.js'
import { fields } from './readable.js'

/**
 * A channel that is read while a component shows it: `useChannel('room:42')`, or
 * `useChannel(() => name)` if the name changes. `null` reads none. Read its getters
 * (`room.messages`) where they are used. The functions are stable and need no `this`.
 */
export function useChannel<const N extends ChannelName>(name: MaybeGetter<N | null>): ChannelView<N> {
  const { client, mounted } = useTidingsContext()
  const channel = latest(
    () => valueOf<N | null>(name),
    (wanted) => channelOf(client, wanted),
  )
  const snapshot = fields<ChannelSnapshot<MessageOf<N>>>(channel, { keys: channelOf<N>(client, null).initial, mounted })
  const actions: Pick<ChannelView<N>, 'publish' | 'loadMore' | 'on'> = {
    publish: (data) => untrack(channel).publish(data),
    loadMore: () => untrack(channel).loadMore(),
    on: (event, fn) => untrack(channel).on(event, fn),
  }
  return Object.freeze(Object.assign(snapshot, actions))
}
