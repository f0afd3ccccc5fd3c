'use client'
import { createContext, createElement, useContext, useEffect, useLayoutEffect, useMemo, useState, type ReactElement, type ReactNode } from 'react'
import type { InboxSnapshot, InboxView, Readable, Tidings } from 'tidings'

import { firstSnapshot, withFirst, type InitialInbox } from '../adapter/initial-inbox.js'
import { shallowEqual } from '../adapter/shallow.js'

/** The props of {@link TidingsProvider}. */
export interface TidingsProviderProps {
  /** The app's client, made once with `createTidings` and never by a component. */
  readonly client: Tidings
  /**
   * The signed-in user; `null` if signed out. When left out: the user of the ticket, or the user
   * that the app itself sets on the client.
   */
  readonly user?: string | null | undefined
  /**
   * A server-rendered first inbox, from `api.inbox(user)` of `tidings/server`. Another user may
   * bring another one.
   */
  readonly initial?: InitialInbox | undefined
  readonly children?: ReactNode
}

interface Context {
  readonly client: Tidings
  readonly initial: InboxSnapshot | null
}

const TidingsContext = createContext<Context | null>(null)

// Layout effects run before all passive effects of the same commit, and subscriptions are passive
// effects. So the client knows its user before the first hook below connects it. React 18 warns
// about layout effects on servers.
const useEarlyEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect

/**
 * Gives the client to the hooks below it, and sets the signed-in user on the client. It never
 * closes the client.
 */
export function TidingsProvider({ client, user, initial, children }: TidingsProviderProps): ReactElement {
  const [first, setFirst] = useState<First>(() => came(client, user, initial))
  // Compared by content, so that the prop may be written inline.
  if (!shallowEqual(first.given, initial)) setFirst(came(client, user, initial))
  const shown = first.client === client && first.user === user ? first.snapshot : null
  const context = useMemo(() => ({ client, initial: shown }), [client, shown])
  useEarlyEffect(() => {
    if (user !== undefined) client.setUser(user)
  }, [client, user])
  return createElement(TidingsContext.Provider, { value: context }, children)
}

interface First {
  readonly client: Tidings
  /** The user it was given with. */
  readonly user: string | null | undefined
  readonly given: InitialInbox | undefined
  readonly snapshot: InboxSnapshot | null
}

function came(client: Tidings, user: string | null | undefined, given: InitialInbox | undefined): First {
  return { client, user, given, snapshot: firstSnapshot(given, user) }
}

/** The client of the nearest {@link TidingsProvider}. Throws without one. */
export function useTidings(): Tidings {
  return useTidingsContext().client
}

/** @internal */
export function useTidingsContext(): Context {
  const context = useContext(TidingsContext)
  if (context === null) throw new Error('tidings/react: wrap the app in <TidingsProvider client={…}> to use this hook')
  return context
}

/**
 * The view, with the server-rendered inbox until the client has one of its own.
 * @internal
 */
export function withInitial(view: InboxView, { client, initial }: Context): Readable<InboxSnapshot> {
  return initial === null ? view : withFirst(view, client, () => initial)
}
