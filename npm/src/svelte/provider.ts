import { getContext, onDestroy, onMount, setContext, untrack } from 'svelte'
import { toStore, writable } from 'svelte/store'
import type { InboxSnapshot, Readable, Tidings } from 'tidings'

import type { Source } from '../adapter/combined.js'
import { firstSnapshot, withFirst, type InitialInbox } from '../adapter/first-inbox.js'
import { shallowEqual } from '../adapter/shallow.js'
import { valueOf, type MaybeGetter } from './getter.js'

/** What {@link setTidings} takes beside client and user. */
export interface SetTidingsOptions {
  /**
   * A server-rendered first inbox, from `api.inbox(user)` of `tidings/server`: `() => data.inbox`, because another one may
   * come with another user.
   */
  readonly initial?: MaybeGetter<InitialInbox | null | undefined>
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
  const now = () => ({ user: valueOf(user), given: valueOf(initial) })
  let came = untrack(now)
  let shown = firstSnapshot(came.given, came.user)
  const first = writable(shown)
  setContext<Context>(KEY, {
    client,
    inbox: initial === undefined ? client.inbox : withFirst(client.inbox, client, () => shown, [first]),
    mounted: whenMounted(),
  })
  if (typeof document === 'undefined') return
  let told: string | null | undefined
  // At once, so that the client knows its user before the first component below makes it connect.
  const stop = toStore(now).subscribe((next) =>
    untrack(() => {
      if (!shallowEqual(next.given, came.given)) came = next
      shown = next.user === came.user ? firstSnapshot(came.given, came.user) : null
      if (next.user !== undefined && next.user !== told) client.setUser(next.user)
      told = next.user
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
