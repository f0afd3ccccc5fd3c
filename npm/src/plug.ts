import type { Channels, ChannelsOwner } from './channels.js'

/** Where a client has its {@link Plug}. */
export const PLUG = '~plug'

/** What channels move in their client, with code that only apps with channels load. */
export interface Plug {
  readonly owner: ChannelsOwner
  /** Once somebody asked for a channel. */
  channels?: Channels
}
