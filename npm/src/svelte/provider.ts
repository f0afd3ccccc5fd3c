import { getContext, onDestroy, onMount, setContext, untrack } from 'svelte'
import { toStore, writable } from 'svelte/store'
import type { InboxSnapshot, Readable, Tidings } from 'tidings'

import type { Source } from '../adapter/combined.js'
import { firstSnapshot, withFirst, type InitialInbox } from '../adapter/first-inbox.js'
import { valueOf, type MaybeGetter } from './getter.js'

/** What {@link setTidings} takes beside client and user. */
export interface SetTidingsOptions {
  /** A server-rendered first inbox. */
  readonly initial?: InitialInbox | undefined
}

/** Whether the components below are in the page. Until then they show what a server wrote, which on servers is never. */
export interface Mounted extends Source {
  is(): boolean
}

interface Context {
  readonly client: Tidings
  readonly inbox: Readable<InboxSnapshot>
  readonly mounted: Mounted
}

const KEY = Symbol('tidings')

/**
 * Gives the components below a client, and tells the client who is signed in: `setTidings(tidings, () => data.user?.id
 * ?? null)`, in the script of the layout. `null` is nobody; `undefined`, or nothing, is whoever the ticket names. It
 * never closes the client, and on servers it does not touch it: what it keeps belongs to the page being rendered.
 */
export function setTidings(client: Tidings, user?: MaybeGetter<string | null | undefined>, { initial }: SetTidingsOptions = {}): void {
  const who = () => valueOf(user)
  const came = untrack(who)
  const snapshot = initial ? firstSnapshot(initial) : null
  const first = writable(snapshot)
  let shown = snapshot
  setContext<Context>(KEY, {
    client,
    inbox: snapshot === null ? client.inbox : withFirst(client.inbox, client, () => shown, [first]),
    mounted: whenMounted(),
  })
  if (typeof document === 'undefined') return
  // At once, so that the client knows its user before the first component below makes it connect.
  const stop = toStore(who).subscribe((next) =>
    untrack(() => {
      shown = next === came ? snapshot : null
      if (next !== undefined) client.setUser(next)
      first.set(shown)
    }),
  )
  onDestroy(stop)
}

/** The client that {@link setTidings} gave. Throws without one. */
export function useTidings(): Tidings {
  return useTidingsContext().client
}

/** @internal */
export function useTidingsContext(): Context {
  const context = getContext<Context | undefined>(KEY)
  if (context === undefined) throw new Error('tidings/svelte: call setTidings(client) in a component above this one')
  return context
}

/**
 * That of the context; without one, of the component that is being made.
 * @internal
 */
export function useMounted(): Mounted {
  return getContext<Context | undefined>(KEY)?.mounted ?? whenMounted()
}

function whenMounted(): Mounted {
  const mounted = writable(false)
  let is = false
  onMount(() => {
    is = true
    mounted.set(true)
  })
  return { is: () => is, subscribe: mounted.subscribe }
}
