'use client'
// React hooks over a Tidings client. The hooks hold no state of their own: each reads one of the
// client's readables through `useSyncExternalStore`. So React shows the client's state, also under
// StrictMode, the Compiler and concurrent rendering. The core is imported for its types only: the
// one copy is the app's.

export { useChannel } from './channel.js'
export type { ChannelView } from '../adapter/channels.js'
export { useConnection, useServerTime, type ServerTimeOptions } from './connection.js'
export { useTidingsEvent } from './events.js'
export { useNotifications, useUnreadCount } from './inbox.js'
export { TidingsProvider, useTidings, type TidingsProviderProps } from './provider.js'
export { useReadable } from './readable.js'
export { useSeen } from './seen.js'
export type { InitialInbox } from '../adapter/initial-inbox.js'
export type { SeenItem } from '../adapter/seen-watcher.js'
export type { Notifications } from '../adapter/views.js'
