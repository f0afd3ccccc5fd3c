import type { ChannelSnapshot, Connection, Inbox, InboxFilter, InboxItem, InboxSnapshot, InboxView, Json, Readable, Stored, Tidings, TidingsEvents } from 'tidings'

/** A readable that a test sets. It counts its subscribers. */
export interface TestReadable<T> extends Readable<T> {
  set(value: T): void
  subscribers(): number
}

export function readable<T>(initial: T): TestReadable<T> {
  let value = initial
  const listeners = new Set<(value: T) => void>()
  return {
    initial,
    get: () => value,
    set(next) {
      value = next
      for (const listener of listeners) listener(next)
    },
    subscribe(fn) {
      const listener = (next: T): void => fn(next)
      listeners.add(listener)
      fn(value)
      return () => void listeners.delete(listener)
    },
    subscribers: () => listeners.size,
  }
}

export const LOADING: InboxSnapshot = {
  status: 'loading',
  items: [],
  unread: 0,
  unseen: 0,
  count: null,
  hasMore: false,
  loadingMore: false,
  error: null,
}

const NO_ROOM: ChannelSnapshot<Json> = { status: 'idle', messages: [], gap: null, hasMore: false, loadingMore: false, error: null }

const IDLE: Connection = {
  status: 'idle',
  lost: false,
  user: null,
  error: null,
  attempt: 0,
  retryAt: null,
  transport: null,
  durable: true,
}

export function item(id: string, over: Partial<InboxItem> = {}): InboxItem {
  return { id, type: 'message', title: `Title of ${id}`, data: {}, at: 1, read: false, seen: false, archived: false, pending: false, ...over }
}

export function live(items: readonly InboxItem[], over: Partial<InboxSnapshot> = {}): InboxSnapshot {
  return { ...LOADING, status: 'live', items, unread: items.length, unseen: items.length, ...over }
}

/** A stand-in for the client, with values that a test sets. */
export interface FakeClient extends Tidings {
  /** Gives `tidings/channels` access to the channels. */
  '~internal'(take: (internal: unknown) => void): void
  roomOf(name: string): TestReadable<ChannelSnapshot<Json>>
  readonly connection: TestReadable<Connection>
  readonly inbox: Inbox & TestReadable<InboxSnapshot>
  /** Every call that changes something, in order, as text. */
  readonly calls: string[]
  /** The filters that views were asked for. */
  readonly filters: InboxFilter[]
  viewOf(filter: InboxFilter): TestReadable<InboxSnapshot>
  raise<E extends keyof TidingsEvents>(event: E, happened: TidingsEvents[E]): void
  listeners(event: keyof TidingsEvents): number
  setNow(now: number | null): void
}

export function fakeClient(): FakeClient {
  const calls: string[] = []
  const filters: InboxFilter[] = []
  const views = new Map<string, TestReadable<InboxSnapshot>>()
  const listening = new Map<keyof TidingsEvents, Set<(happened: never) => void>>()
  let now: number | null = null

  const stored: Stored = { channel: 'inbox:u1', epoch: 'aaaaaaaa', offset: 1, id: '' }
  const call = (name: string) => (argument?: unknown): Promise<Stored> => {
    calls.push(argument === undefined ? name : `${name} ${JSON.stringify(argument)}`)
    return Promise.resolve(stored)
  }
  const actions = (over: TestReadable<InboxSnapshot>): InboxView & TestReadable<InboxSnapshot> => ({
    ...over,
    markRead: call('markRead'),
    markUnread: call('markUnread'),
    markSeen: call('markSeen'),
    archive: call('archive'),
    unarchive: call('unarchive'),
    loadMore: () => call('loadMore')().then(() => {}),
  })
  const viewOf = (filter: InboxFilter): TestReadable<InboxSnapshot> => {
    const key = JSON.stringify(filter)
    const view = views.get(key) ?? actions(readable(LOADING))
    views.set(key, view)
    return view
  }
  const listenersOf = (event: keyof TidingsEvents): Set<(happened: never) => void> => {
    const listeners = listening.get(event) ?? new Set()
    listening.set(event, listeners)
    return listeners
  }

  const rooms = new Map<string, TestReadable<ChannelSnapshot<Json>> & { name: string }>()
  const roomOf = (name: string) => {
    const room = rooms.get(name) ?? { name, ...readable(NO_ROOM), publish: call('publish'), loadMore: call('loadMore'), on: () => () => {}, join: () => () => {} }
    rooms.set(name, room)
    return room
  }

  return {
    connection: readable(IDLE),
    inbox: {
      ...actions(readable(LOADING)),
      view(filter) {
        filters.push(filter)
        return viewOf(filter) as InboxView & TestReadable<InboxSnapshot>
      },
      markAllRead: call('markAllRead'),
      markAllSeen: call('markAllSeen'),
      archiveAll: call('archiveAll'),
    },
    outbox: { ...readable({ pending: 0, failed: [] }), retry: call('retry'), discard: call('discard') },
    '~internal': (take: (internal: unknown) => void) => take({ channels: { channel: roomOf } }),
    roomOf,
    on(event, fn) {
      const listener = (happened: never): void => fn(happened)
      listenersOf(event).add(listener)
      return () => void listenersOf(event).delete(listener)
    },
    setUser: user => void calls.push(`setUser ${JSON.stringify(user)}`),
    signOut: () => Promise.resolve({ discarded: 0 }),
    connect: () => void calls.push('connect'),
    disconnect: () => void calls.push('disconnect'),
    retryNow: () => void calls.push('retryNow'),
    close: () => void calls.push('close'),
    now: () => now,
    explain: () => '',
    calls,
    filters,
    viewOf,
    raise(event, happened) {
      for (const listener of listenersOf(event)) listener(happened as never)
    },
    listeners: event => listenersOf(event).size,
    setNow(next) {
      now = next
    },
  }
}

/** A server's client that another request has used before. */
export function usedClient(): FakeClient {
  const client = fakeClient()
  client.inbox.set(live([item('of another request')]))
  client.connection.set({ ...client.connection.get(), status: 'connected', user: 'somebody' })
  client.setNow(5000)
  return client
}

/** The calls of a client, and its open subscriptions. */
export function touched(client: FakeClient): readonly string[] {
  const readables = { inbox: client.inbox, connection: client.connection }
  const watched = Object.entries(readables).filter(([, readable]) => readable.subscribers() > 0)
  return [...client.calls, ...watched.map(([name]) => `subscribe ${name}`)]
}
