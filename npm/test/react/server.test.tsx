// @vitest-environment jsdom
import { act, cleanup } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { TidingsProvider, useConnection, useNotifications, useServerTime, useUnreadCount, type InitialInbox } from 'tidings/react'

import { fakeClient, item, LOADING, live, type FakeClient } from './fake-client.js'

function Page(): ReactNode {
  const { items, status } = useNotifications()
  return (
    <>
      <output>{`${useConnection().status} ${status} ${useUnreadCount()} ${useServerTime()}`}</output>
      <ul>
        {items.map(({ id, title }) => (
          <li key={id}>{title}</li>
        ))}
      </ul>
    </>
  )
}

const INITIAL: InitialInbox = { items: [item('a')], unread: 3 }
const app = (client: FakeClient, user: string | null = 'mina', initial?: InitialInbox): ReactNode => (
  <StrictMode>
    <TidingsProvider client={client} user={user} initial={initial}>
      <Page />
    </TidingsProvider>
  </StrictMode>
)

let container: HTMLElement
let root: Root | undefined
const recovered: unknown[] = []

function hydrate(page: ReactNode): void {
  act(() => {
    root = hydrateRoot(container, page, { onRecoverableError: error => recovered.push(error) })
  })
}
const shown = (): string => container.textContent ?? ''

beforeEach(() => {
  container = document.body.appendChild(document.createElement('div'))
  recovered.length = 0
})
afterEach(() => {
  act(() => root?.unmount())
  root = undefined
  cleanup()
  document.body.replaceChildren()
  vi.restoreAllMocks()
})

describe('on a server', () => {
  it('renders the initial state and touches nothing', () => {
    const client = fakeClient()
    client.inbox.set(live([item('of another request')]))
    expect(renderToString(app(client))).toContain('idle loading 0 null')
    expect(client.calls).toEqual([])
    expect([client.inbox.subscribers(), client.connection.subscribers()]).toEqual([0, 0])
  })

  it('renders a first inbox it is given', () => {
    const html = renderToString(app(fakeClient(), 'mina', INITIAL))
    expect(html).toContain('idle cached 3 null')
    expect(html).toContain('Title of a')
  })
})

describe('hydration', () => {
  it('finds what the server wrote, even when the client knows more already', () => {
    const complaints = vi.spyOn(console, 'error')
    container.innerHTML = renderToString(app(fakeClient()))
    const client = fakeClient()
    client.inbox.set(live([item('b')]))
    hydrate(app(client))
    expect(recovered).toEqual([])
    expect(complaints).not.toHaveBeenCalled()
    expect(shown()).toBe('idle live 1 nullTitle of b')
  })

  it('keeps the first inbox on screen until the client has one', () => {
    container.innerHTML = renderToString(app(fakeClient(), 'mina', INITIAL))
    const client = fakeClient()
    hydrate(app(client, 'mina', INITIAL))
    expect(recovered).toEqual([])
    expect(shown()).toBe('idle cached 3 nullTitle of a')
    act(() => client.inbox.set(live([item('a'), item('b')])))
    expect(shown()).toBe('idle live 2 nullTitle of aTitle of b')
  })

  it('shows the first inbox to nobody but the user it came with', () => {
    container.innerHTML = renderToString(app(fakeClient(), 'mina', INITIAL))
    const client = fakeClient()
    hydrate(app(client, 'mina', INITIAL))
    act(() => root?.render(app(client, 'jun', INITIAL)))
    expect(shown()).toBe('idle loading 0 null')
  })

  it('takes the first inbox away when the client signs out or is refused', () => {
    for (const status of ['signed-out', 'failed'] as const) {
      const client = fakeClient()
      container.innerHTML = renderToString(app(fakeClient(), 'mina', INITIAL))
      hydrate(app(client, 'mina', INITIAL))
      act(() => client.connection.set({ ...client.connection.get(), status }))
      expect(shown()).toBe(`${status} loading 0 null`)
      act(() => root?.unmount())
    }
  })

  it('follows the client when the user is swapped', () => {
    const client = fakeClient()
    container.innerHTML = renderToString(app(client))
    hydrate(app(client))
    act(() => client.inbox.set(live([item('of mina')])))
    client.setUser = () => client.inbox.set(LOADING)
    act(() => root?.render(app(client, 'jun')))
    expect(shown()).not.toContain('mina')
  })
})
