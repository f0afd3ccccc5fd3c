import type { Channels, ChannelsOwner } from './channels.js'

/** What channels move in their client, with code that only apps with channels load. */
export interface Plug {
  readonly owner: ChannelsOwner
  /** Once somebody asked for a channel. */
  channels?: Channels
}

/** Where a client has it: handed to a function, so that it is the same whatever an app wraps the client in or freezes. */
export interface Plugged {
  '~plug'(take: (plug: Plug) => void): void
}
