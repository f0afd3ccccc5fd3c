import { invalid, TidingsError, type ErrorFacts } from './error.js'
import { items, type Entry } from './items.js'
import { cell, unlessSame, type Call, type Cell } from './readable.js'
import { record } from './record.js'
import type { Inbox, InboxFilter, InboxItem, InboxSnapshot, InboxView, ItemRef, Stored } from './types.js'
import { ARCHIVED, READ, SEEN, UNARCHIVED, UNREAD } from './words.js'

/** What the inbox asks of the client. */
export interface InboxOwner {
  readonly call: Call
  /** The core's text of a view, if there is a core. */
  read(show: number, kinds: string): string | undefined
  /** Marks the items with these ids, a list in JSON, or all if it is empty. */
  mark(ids: string, mark: number): Promise<Stored>
  more(show: number, kinds: string): Promise<void>
  /** Somebody looks. */
  wake(): void
}

/** The inbox and what moves it. */
export interface InboxCell {
  readonly inbox: Inbox
  /** The core's inbox changed. */
  stale(): void
  /** Brings every view that is looked at up to date; tells nobody. */
  refresh(): void
  notify(): void
  item(entry: Entry): InboxItem | undefined
  /** The core that knew the items is gone. */
  reset(): void
}

/** The inbox's snapshot before anything is known. */
export const INBOX: InboxSnapshot = Object.freeze({
  status: 'loading',
  items: Object.freeze([]),
  unread: 0,
  unseen: 0,
  count: null,
  hasMore: false,
  loadingMore: false,
  error: null,
})

const SHOWS = ['inbox', 'unread', 'archived', 'all']

interface Raw extends Omit<InboxSnapshot, 'items' | 'error'> {
  readonly items: readonly Entry[]
  readonly gone: readonly number[]
  readonly error: ErrorFacts | null
}

interface View {
  readonly view: InboxView
  readonly cell: Cell<InboxSnapshot>
  refresh(): void
}

/** The inbox of one client. */
export function inbox(owner: InboxOwner): InboxCell {
  let known = items()
  let version = 0
  // Views that somebody is subscribed to; others bring themselves up to date when read.
  const watched = new Set<View>()
  const shared = new Map<string, WeakRef<View['view']>>()

  const marker = (mark: number) => (refs: ItemRef | readonly ItemRef[]) => owner.mark(ids(refs), mark)
  const actions = {
    markRead: marker(READ),
    markUnread: marker(UNREAD),
    markSeen: marker(SEEN),
    archive: marker(ARCHIVED),
    unarchive: marker(UNARCHIVED),
  }

  const make = (show: number, kinds: string): View => {
    let current = INBOX
    let seen = 0
    const refresh = () => {
      if (seen === version) return
      seen = version
      const text = owner.read(show, kinds)
      const next = text === undefined ? INBOX : snapshot(JSON.parse(text) as Raw)
      current = unlessSame(INBOX, unlessSame(current, next))
      value.put(current)
    }
    const snapshot = (raw: Raw): InboxSnapshot => {
      const { gone, ...rest } = raw
      const list = raw.items.map(known.take).filter((item) => item !== undefined)
      known.forget(gone)
      const error = raw.error && (raw.error.message === current.error?.message ? current.error : new TidingsError(raw.error))
      // A list of the same items is the same list.
      const kept = unlessSame({ list: current.items }, { list }).list
      return Object.freeze({ ...rest, items: Object.freeze(kept), error })
    }
    const value: Cell<InboxSnapshot> = cell(INBOX, {
      call: owner.call,
      onRead: refresh,
      onWatch() {
        watched.add(made)
        owner.wake()
      },
      onUnwatch: () => void watched.delete(made),
    })
    const view = { ...value.readable, ...actions, loadMore: () => owner.more(show, kinds) }
    const made = { view, cell: value, refresh }
    return made
  }

  const whole = make(0, '[]')

  return {
    inbox: {
      ...whole.view,
      view(filter) {
        const [show, kinds] = resolved(filter)
        const key = show + kinds
        if (key === '0[]') return whole.view
        let view = shared.get(key)?.deref()
        if (view === undefined) {
          for (const [other, ref] of shared) if (ref.deref() === undefined) shared.delete(other)
          view = make(show, kinds).view
          shared.set(key, new WeakRef(view))
        }
        return view
      },
      markAllRead: () => owner.mark('', READ),
      markAllSeen: () => owner.mark('', SEEN),
      archiveAll: () => owner.mark('', ARCHIVED),
    },
    stale: () => void version++,
    refresh() {
      for (const view of watched) view.refresh()
    },
    notify() {
      for (const view of [...watched]) view.cell.notify()
    },
    item: (entry) => known.take(entry),
    reset() {
      known = items()
      version += 1
    },
  }
}

/** A filter as the core takes it, equal ones equally. */
function resolved(filter: InboxFilter): [show: number, kinds: string] {
  const { show = 'inbox', type } = filter ?? {}
  const place = SHOWS.indexOf(show)
  if (place < 0) throw invalid(`\`show\` must be one of ${SHOWS.join(', ')}.`)
  const given: readonly unknown[] = type === undefined ? [] : Array.isArray(type) ? type : [type]
  const kinds = given.filter((kind): kind is string => typeof kind === 'string' && kind !== '')
  if (kinds.length < given.length) throw invalid('`type` must be a notification type or a list of them.')
  return [place, JSON.stringify([...new Set(kinds)].sort())]
}

/** Ids of what an app names (an id, an item or a list), as JSON. */
function ids(refs: ItemRef | readonly ItemRef[]): string {
  const list: readonly unknown[] = Array.isArray(refs) ? refs : [refs]
  const named = list.map((ref) => {
    const id = typeof ref === 'string' ? ref : record(ref)['id']
    if (typeof id !== 'string' || id === '') throw invalid('Items are named by an id, an item, or a list of them.')
    return id
  })
  return JSON.stringify(named)
}
