import type { Channels, ChannelsOwner } from './channels.js'
import type { Answers, JsonText, ReadOp } from './generated/ops.js'

/** Reads from the core; `null` without a core, or while it has no answer. */
export type Read = <R extends ReadOp>(...op: R) => Shape<Answers[R[0]]> | null
type Shape<J> = J extends JsonText<infer T> ? T : never

/** The connection between a client and its channels, whose code only apps with channels load. */
export interface Internal {
  readonly owner: ChannelsOwner
  /** Set once the app asks for a channel. */
  channels?: Channels
}

/**
 * How a client gives access to its plug. A function works even if the app wraps or freezes the
 * client.
 */
export interface WithInternal {
  '~internal'(take: (internal: Internal) => void): void
}
