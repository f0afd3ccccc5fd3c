import { getContext, onDestroy, onMount, setContext, untrack } from 'svelte'
import { toStore, writable } from 'svelte/store'
import type { InboxSnapshot, Readable, Tidings } from 'tidings'

import type { Source } from '../adapter/combined.js'
import { firstSnapshot, withFirst, type InitialInbox } from '../adapter/initial-inbox.js'
import { shallowEqual } from '../adapter/shallow.js'
import { valueOf, type MaybeGetter } from './getter.js'

/** The options of {@link setTidings}, beside client and user. */
export interface SetTidingsOptions {
  /**
   * A server-rendered first inbox, from `api.inbox(user)` of `tidings/server`: `() => data.inbox`,
   * because another user may bring another one.
   */
  readonly initial?: MaybeGetter<InitialInbox | null | undefined>
}

/**
 * Whether the components below are mounted. Until then they show the server-rendered values. On
 * servers they never mount.
 */
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
 * Gives the client to the components below, and sets the signed-in user on the client:
 * `setTidings(tidings, () => data.user?.id ?? null)`, in the script of the layout. `null` means
 * signed out; `undefined`, or no argument, means the user of the ticket. It never closes the
 * client. On servers it does not touch the client: the context belongs to the page being rendered.
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
  // Subscribe at once, so that the client knows its user before the first component below connects
  // it.
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

/** The client of {@link setTidings}. Throws without one. */
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
 * The mounted state of the context; without a context, that of the component being created.
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
