// @vitest-environment jsdom
// The hooks over the real client, compiled core included; only the server is scripted.
import { act, cleanup, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { createTidings, type Tidings } from 'tidings'
import { TidingsProvider, useConnection, useNotifications, useTidingsEvent, useUnreadCount } from 'tidings/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { FakeServer } from '../core/fake-server.js'

let server: FakeServer
let client: Tidings
const ticket = vi.fn(async ({ user }: { user: string | undefined }) => `ticket of ${user}`)
const arrived: string[] = []

beforeEach(() => {
  server = new FakeServer()
  client = createTidings({ url: 'http://localhost:8787', ticket, storage: 'memory' })
  arrived.length = 0
  ticket.mockClear()
})
afterEach(() => {
  cleanup()
  client.close()
})

function Page(): ReactNode {
  const { items, markRead } = useNotifications()
  useTidingsEvent('arrived', ({ id }) => arrived.push(id))
  return (
    <>
      <output>{`${useConnection().status} ${useUnreadCount()}`}</output>
      {items.map(({ id, title, read }) => (
        <button key={id} onClick={() => void markRead(id)}>
          {`${title} ${read}`}
        </button>
      ))}
    </>
  )
}

const page = (user: string | null): ReactNode => (
  <StrictMode>
    <TidingsProvider client={client} user={user}>
      <Page />
    </TidingsProvider>
  </StrictMode>
)
const status = (): string | null => screen.getByRole('status').textContent

it('opens one connection with one ticket under StrictMode, and shows and tells everything once', async () => {
  render(page('u1'))
  const socket = await server.accept()
  await waitFor(() => expect(status()).toBe('connected 0'))
  act(() => socket.say(server.notification()))
  await waitFor(() => expect(status()).toBe('connected 1'))
  expect(screen.getAllByRole('button').map(({ textContent }) => textContent)).toEqual(['Title 1 false'])
  expect(arrived).toEqual(['n1'])
  expect(server.sockets).toHaveLength(1)
  expect(ticket.mock.calls.map(([{ user }]) => user)).toEqual(['u1'])
})

it('shows a mark at once, before the server has answered', async () => {
  render(page('u1'))
  const socket = await server.accept()
  await waitFor(() => expect(status()).toBe('connected 0'))
  act(() => socket.say(server.notification()))
  const item = await screen.findByRole('button')
  act(() => item.click())
  expect(item.textContent).toBe('Title 1 true')
  expect(status()).toBe('connected 0')
})

it('shows nothing of the first user once the second is given', async () => {
  const { rerender } = render(page('u1'))
  const socket = await server.accept()
  await waitFor(() => expect(status()).toBe('connected 0'))
  act(() => socket.say(server.notification()))
  await screen.findByRole('button')
  server.user = 'u2'
  rerender(page('u2'))
  expect(screen.queryAllByRole('button')).toEqual([])
  expect(status()).toBe('connecting 0')
  await server.accept(2)
  await waitFor(() => expect(status()).toBe('connected 1'))
  expect(ticket.mock.calls.at(-1)?.[0].user).toBe('u2')
})

it('does not connect for nobody', () => {
  render(page(null))
  expect(status()).toBe('signed-out 0')
  expect(ticket).not.toHaveBeenCalled()
})
