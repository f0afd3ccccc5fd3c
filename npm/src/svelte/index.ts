// Svelte views over a Tidings client. The views hold no state of their own: each getter reads one
// of the client's readables, and `createSubscriber` reruns the effects that read it. These are
// plain modules that need no compiler. The core is imported for its types only: the one copy is the
// app's. Its readables already are Svelte stores (`$inbox`).

export { useChannel } from './channel.js'
export { useConnection, useServerTime, type ServerTimeOptions } from './connection.js'
export { useTidingsEvent } from './events.js'
export { useNotifications, useUnreadCount } from './inbox.js'
export { setTidings, useTidings, type SetTidingsOptions } from './provider.js'
export { useReadable, type Current } from './readable.js'
export { useSeen, type Seen } from './seen.js'
export type { MaybeGetter } from './getter.js'
export type { ChannelView } from '../adapter/channels.js'
export type { InitialInbox } from '../adapter/initial-inbox.js'
export type { SeenItem } from '../adapter/seen-watcher.js'
export type { Notifications } from '../adapter/views.js'
