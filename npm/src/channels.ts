/** Channels: rooms, chats and topics. */

import { invalid, TidingsError } from './error.js'
import {
  LOAD_OLDER_MESSAGES,
  PUBLISH,
  READ_CHANNEL,
  SUBSCRIBE,
  UNSUBSCRIBE,
  type InboundOp,
  type RawArrival,
  type RawChannel,
  type RawMessage,
} from './generated/ops.js'
import { bytesOf, weakly } from './globals.js'
import { listeners, type Listeners } from './listeners.js'
import { unsayable } from './payload.js'
import type { Internal, WithInternal, Read } from './internal.js'
import { cell, type Call, type Cell, type Part } from './readable.js'
import type { Channel, ChannelEvents, ChannelName, ChannelSnapshot, Json, Message, Tidings, TidingsEvents } from './types.js'

/** The parts of a client that channels need. */
export interface ChannelsOwner {
  readonly call: Call
  readonly events: Listeners<TidingsEvents>
  /** The parts that are refreshed after the core reports a change. */
  readonly parts: Part[]
  version(): number
  /** Connects, unless the app disconnected. */
  onWatch(): void
  read: Read
  intend<T>(send: (intent: number) => boolean): Promise<T>
  /** Passes a call to the core, now or once it is loaded; `false` if the call is refused. */
  dispatch: (...told: InboundOp) => boolean
  /** Passes a call to the core if it is loaded; `false` if not. */
  tellNow: (...told: InboundOp) => boolean
}

/** The channels of a client, and the functions that update them. */
export interface Channels extends Part {
  channel(name: string): Channel
  message(raw: RawArrival): () => void
  /** Subscribes a new core to every channel that has readers. */
  again(): void
}

interface Room {
  readonly channel: Channel
  readonly value: Cell<ChannelSnapshot<Json>>
  /** Messages of the last snapshot by key: the core repeats only their keys. */
  known: Map<number, Message<Json>>
  readonly events: Listeners<ChannelEvents<string>>
}

/** A channel's snapshot before anything is known. */
const EMPTY: ChannelSnapshot<never> = Object.freeze({
  status: 'idle',
  messages: Object.freeze([]),
  gap: null,
  hasMore: false,
  loadingMore: false,
  error: null,
})

const NAME = /^(?!inbox:|system:)[a-z][a-z0-9_-]{0,31}:[^\p{Cc}*]+$/u
/** The longest name in bytes; user ids have the same limit. */
const NAME_BYTES = 128

/**
 * A channel beside the inbox: `channel(tidings, 'room:42')`. The same name gives the same object.
 * The call alone subscribes to nothing.
 *
 * This is an entry point of its own, so that apps without channels don't load it.
 */
export function channel<const N extends ChannelName>(client: Tidings, name: N): Channel<N> {
  let internal: Internal | undefined
  ;(client as Partial<WithInternal>)['~internal']?.((given) => (internal = given))
  if (internal === undefined) throw invalid('`channel` takes a client that createTidings() made.')
  if (internal.channels === undefined) internal.owner.parts.push((internal.channels = channels(internal.owner)))
  return internal.channels.channel(name) as unknown as Channel<N>
}

/** The channels of one client. */
function channels(owner: ChannelsOwner): Channels {
  const shared = new Map<string, ReturnType<typeof weakly<Room>>>()
  // Rooms with readers. Other rooms last as long as the app holds their channel.
  const read = new Map<string, Room>()
  // Keeps a room alive as long as its channel: `shared` alone holds it weakly.
  const roomOf = new WeakMap<Channel, Room>()

  const make = (name: string): Room => {
    let readers = 0
    const enter = () => {
      if (readers++ > 0) return
      read.set(name, room)
      // A core that is not loaded yet gets this subscription from `again`.
      owner.tellNow(SUBSCRIBE, name)
      owner.onWatch()
    }
    const leave = () => {
      if (--readers > 0) return
      read.delete(name)
      owner.tellNow(UNSUBSCRIBE, name)
    }
    /**
     * Reads the channel until the returned function is called; a second call of it does nothing.
     */
    const join = () => {
      let joined = true
      enter()
      return () => {
        if (joined) leave()
        joined = false
      }
    }
    const snapshot = (raw: RawChannel): ChannelSnapshot<Json> => {
      const before = room.known
      const list = raw.messages.map((entry) => message(entry, before)).filter((one) => one !== undefined)
      room.known = new Map(list.map((one) => [Number(one.key), one]))
      // A gap with the same range keeps its object, so that `===` shows no change.
      const was = last.gap
      const told = raw.gap && Object.freeze({ channel: name, ...raw.gap })
      const gap = was && told && was.from === told.from && was.to === told.to ? was : told
      return (last = { ...raw, messages: Object.freeze(list), gap, error: raw.error && new TidingsError(raw.error) })
    }
    let last: ChannelSnapshot<Json> = EMPTY
    const value: Cell<ChannelSnapshot<Json>> = cell(EMPTY as ChannelSnapshot<Json>, {
      call: owner.call,
      version: owner.version,
      read() {
        const raw = owner.read(READ_CHANNEL, room.known.size === 0, name)
        return raw && snapshot(raw)
      },
      onWatch: enter,
      onUnwatch: leave,
    })
    const events = listeners<ChannelEvents<string>>(owner.call)
    const channel: Channel = {
      name: name as Channel['name'],
      ...value.readable,
      join,
      publish(data) {
        const wrong = unsayable(data)
        if (wrong !== undefined) throw invalid(`\`publish\` takes what JSON can say: \`${wrong}.`)
        return owner.intend((intent) => owner.dispatch(PUBLISH, intent, name, JSON.stringify(data)))
      },
      loadMore: () => owner.intend((intent) => owner.dispatch(LOAD_OLDER_MESSAGES, intent, name)),
      on(event, fn) {
        if ((event !== 'message' && event !== 'gap') || typeof fn !== 'function') throw invalid('`on` takes an event, `message` or `gap`, and a function.')
        const off = events.add(event, fn as never)
        const left = join()
        return () => {
          off()
          left()
        }
      },
    }
    const room: Room = { channel, value, known: new Map(), events }
    return room
  }

  owner.events.add('gap', (gap) => read.get(gap.channel)?.events.emit('gap', gap))

  return {
    channel(name) {
      if (typeof name !== 'string' || !NAME.test(name) || bytesOf(name.slice(name.indexOf(':') + 1)) > NAME_BYTES) {
        throw invalid('A channel is named `namespace:name`, such as `room:42`, without `*` and control characters; the inbox has readables of its own.')
      }
      let room = read.get(name) ?? shared.get(name)?.deref()
      if (room === undefined) {
        for (const [other, ref] of shared) if (ref.deref() === undefined) shared.delete(other)
        room = make(name)
        shared.set(name, weakly(room))
        roomOf.set(room.channel, room)
      }
      return room.channel
    },
    refresh() {
      for (const room of read.values()) room.value.refresh()
    },
    notify() {
      for (const room of [...read.values()]) room.value.notify()
    },
    message({ channel, message: entry }) {
      const room = read.get(channel)
      const made = entry.length > 1 ? message(entry, room?.known ?? new Map()) : undefined
      return () => made && room?.events.emit('message', made)
    },
    again() {
      for (const [name, room] of read) {
        room.known = new Map()
        owner.tellNow(SUBSCRIBE, name)
      }
    },
  }
}

/** One frozen object per state of a message, shared by the list and the listeners. */
function message(entry: RawMessage, known: Map<number, Message<Json>>): Message<Json> | undefined {
  if (entry.length === 1) return known.get(entry[0])
  const [key, flags, id, offset, at, author, data, failed] = entry
  const before = known.get(key)
  const from = author && Object.freeze({ ...author, self: (flags & 2) !== 0 })
  const error = failed && (before?.failed ?? new TidingsError(failed))
  return Object.freeze({
    key: String(key),
    id,
    offset,
    at,
    from,
    data: before?.data !== undefined && JSON.stringify(before.data) === JSON.stringify(data) ? before.data : freeze(data),
    pending: (flags & 1) !== 0,
    failed: error,
  })
}

/** Freezes deeply; the protocol bounds the depth to 32. */
function freeze(value: Json): Json {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}
