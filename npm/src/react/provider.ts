'use client'
import { createContext, createElement, useContext, useEffect, useLayoutEffect, useMemo, useState, type ReactElement, type ReactNode } from 'react'
import type { InboxSnapshot, InboxView, Readable, Tidings } from 'tidings'

import { firstSnapshot, withFirst, type InitialInbox } from '../adapter/first-inbox.js'
import { shallowEqual } from '../adapter/shallow.js'

/** What {@link TidingsProvider} takes. */
export interface TidingsProviderProps {
  /** The app's client, made once with `createTidings` and never by a component. */
  readonly client: Tidings
  /** Who is signed in; `null`: nobody; left out: whoever the ticket names, or what the app itself sets on the client. */
  readonly user?: string | null | undefined
  /** A server-rendered first inbox, from `api.inbox(user)` of `tidings/server`; another one may come with another user. */
  readonly initial?: InitialInbox | undefined
  readonly children?: ReactNode
}

interface Context {
  readonly client: Tidings
  readonly initial: InboxSnapshot | null
}

const TidingsContext = createContext<Context | null>(null)

// Layout effects run before any passive effect of the same commit, and subscriptions are passive effects: so the
// client knows its user before the first hook below makes it connect. React 18 warns about them on servers.
const useEarlyEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect

/** Gives the hooks below it a client, and tells the client who is signed in. It never closes the client. */
export function TidingsProvider({ client, user, initial, children }: TidingsProviderProps): ReactElement {
  const [first, setFirst] = useState<First>(() => came(client, user, initial))
  // Compared by content, so that it may be written inline.
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
  /** The user it came with. */
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
 * The view, with the server-rendered inbox until the client knows one.
 * @internal
 */
export function withInitial(view: InboxView, { client, initial }: Context): Readable<InboxSnapshot> {
  return initial === null ? view : withFirst(view, client, () => initial)
}
