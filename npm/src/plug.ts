import type { Channels, ChannelsOwner } from './channels.js'

/** What channels move in their client, with code that only apps with channels load. */
export interface Plug {
  readonly owner: ChannelsOwner
  /** Once somebody asked for a channel. */
  channels?: Channels
}

/** Where a client has it. */
export interface Plugged {
  readonly '~plug': Plug
}
