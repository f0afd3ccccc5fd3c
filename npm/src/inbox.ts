import { TidingsError } from './error.js'
import { isText, record } from './untrusted.js'
import { SHOWS, type Mark, type RawInbox, type RawItem } from './generated/ops.js'
import { weakly } from './globals.js'
import { items } from './items.js'
import { must } from './options.js'
import { cell, type Owner, type Part } from './readable.js'
import type { Inbox, InboxFilter, InboxItem, InboxSnapshot, InboxView, ItemRef, Stored } from './types.js'

/** The parts of a client that the inbox needs. */
export interface InboxOwner extends Omit<Owner<InboxSnapshot>, 'read' | 'onUnwatch'> {
  /** A view as the core writes it; `null` without a core. */
  read(show: number, kinds: string): RawInbox | null
  /**
   * Marks the items of a JSON list of ids. An empty text marks all items that are shown, `*` all
   * items there are.
   */
  mark(ids: string, mark: Mark): Promise<Stored>
  more(show: number, kinds: string): Promise<void>
}

/** The inbox and the functions that update it: every view with subscribers. */
export interface InboxCell extends Part {
  readonly inbox: Inbox
  item(entry: RawItem): InboxItem | undefined
  /** Forgets all items, because their core is gone. */
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

interface View {
  readonly view: InboxView
  readonly part: Part
}

/** The inbox of one client. */
export function inbox(owner: InboxOwner): InboxCell {
  let known = items()
  // Views with subscribers. Other views are refreshed when they are read.
  const watched = new Set<View>()
  const shared = new Map<string, ReturnType<typeof weakly<View['view']>>>()

  const marker = (mark: Mark) => (refs: ItemRef | readonly ItemRef[]) => owner.mark(ids(refs), mark)
  const actions = {
    markRead: marker('read'),
    markUnread: marker('unread'),
    markSeen: marker('seen'),
    archive: marker('archived'),
    unarchive: marker('unarchived'),
  }

  const make = (show: number, kinds: string): View => {
    const { readable, ...part } = cell(INBOX, {
      ...owner,
      read() {
        const raw = owner.read(show, kinds)
        if (raw === null) return { ...INBOX }
        const { gone, error, ...rest } = raw
        const list = raw.items.map(known.take).filter((item) => item !== undefined)
        known.forget(gone)
        return { ...rest, items: Object.freeze(list), error: error && new TidingsError(error) }
      },
      onWatch() {
        watched.add(made)
        owner.onWatch?.()
      },
      onUnwatch: () => void watched.delete(made),
    })
    const view = { ...readable, ...actions, loadMore: () => owner.more(show, kinds) }
    const made = { view, part }
    return made
  }

  const whole = make(0, '')
  // Before the first load the app means all items, not only those that are stored here.
  const all = (mark: Mark) => () => owner.mark(whole.view.get().status === 'loading' ? '*' : '', mark)

  return {
    inbox: {
      ...whole.view,
      view(filter) {
        const [show, kinds] = resolved(filter)
        const key = show + kinds
        if (key === '0') return whole.view
        let view = shared.get(key)?.deref()
        if (!view) {
          for (const [other, ref] of shared) if (!ref.deref()) shared.delete(other)
          view = make(show, kinds).view
          shared.set(key, weakly(view))
        }
        return view
      },
      markAllRead: all('read'),
      markAllSeen: all('seen'),
      archiveAll: all('archived'),
    },
    refresh() {
      for (const { part } of watched) part.refresh()
    },
    notify() {
      for (const { part } of [...watched]) part.notify()
    },
    item: (entry) => known.take(entry),
    reset() {
      known = items()
    },
  }
}

/** A filter as the core takes it. Equal filters give equal results. */
function resolved(filter: InboxFilter): [show: number, kinds: string] {
  const { show = 'inbox', type = [] } = filter ?? {}
  const place = SHOWS.indexOf(show)
  must(place >= 0, 'show', `one of ${SHOWS.join(', ')}`)
  const kinds: unknown[] = [type].flat()
  must(kinds.every(isText), 'type', 'a notification type or a list of them')
  return [place, [...new Set(kinds)].sort().join('\n')]
}

/** The ids of an id, an item or a list, as JSON. */
function ids(refs: ItemRef | readonly ItemRef[]): string {
  const named = [refs].flat().map((ref) => (typeof ref === 'string' ? ref : record(ref)['id']))
  must(named.every(isText), 'items', 'an id, an item, or a list of them')
  return JSON.stringify(named)
}
