import { beforeEach, describe, expect, it } from 'vitest'

import type { InitialInbox } from '../../../src/adapter/initial-inbox.js'
import { fakeClient, item, live, type FakeClient } from '../fake-client.js'
import type { Harness, Mounted, PageProps, Served } from '../harness.js'
import { complaints, shown, titles } from '../page.js'

const FIRST: InitialInbox = { items: [item('a')], unread: 3, unseen: 2 }

/** All texts of the page, to compare them as a whole. */
const page = () => [shown('connection'), shown('status'), shown('unread'), shown('unseen'), shown('time'), ...titles()]

export function serving({ act, serve, hydrate }: Harness): void {
  let container: HTMLElement
  let client: FakeClient
  beforeEach(() => {
    container = document.body.appendChild(document.createElement('div'))
    client = fakeClient()
  })

  /** Puts a server-rendered page into the document. */
  async function receive(props: PageProps): Promise<void> {
    container.innerHTML = (await serve(props))[0]!.html
  }

  async function open(props: PageProps): Promise<Mounted> {
    await receive(props)
    return hydrate(container, client, props)
  }

  describe('on a server', () => {
    it('a page is the initial state whatever the client knows of others, and touches nothing', async () => {
      const [{ html, touched }] = (await serve({ user: 'mina' })) as [Served]
      container.innerHTML = html
      expect(page()).toEqual(['idle', 'loading', '0', '0', 'unknown'])
      expect(touched).toEqual([])
    })

    it('a page shows the first inbox it is given', async () => {
      const [{ html, touched }] = (await serve({ user: 'mina', initial: FIRST })) as [Served]
      container.innerHTML = html
      expect(page()).toEqual(['idle', 'cached', '3', '0', 'unknown', 'Title of a'])
      expect(touched).toEqual([])
    })

    it('the first inbox of one page is not in the next', async () => {
      const [, second] = await serve({ user: 'mina', initial: FIRST }, { user: 'jun' })
      container.innerHTML = second!.html
      expect([shown('status'), titles()]).toEqual(['loading', []])
    })
  })

  describe('hydration', () => {
    it('finds what the server wrote, even when the client knows more already', async () => {
      const complained = complaints()
      client.inbox.set(live([item('b')]))
      client.connection.set({ ...client.connection.get(), status: 'connected' })
      client.setNow(5000)
      await open({ user: 'mina' })
      expect(complained).toEqual([])
      expect(page()).toEqual(['connected', 'live', '1', '1', '5000', 'Title of b'])
    })

    it('keeps the nodes the server made', async () => {
      await receive({ user: 'mina', initial: FIRST })
      const [list, row] = [container.querySelector('ul'), container.querySelector('li')]
      await hydrate(container, client, { user: 'mina', initial: FIRST })
      await act(() => client.inbox.set(live([item('a'), item('b')])))
      expect([container.querySelector('ul'), container.querySelector('li')]).toEqual([list, row])
    })

    it('keeps the first inbox on screen until the client has one', async () => {
      const complained = complaints()
      await open({ user: 'mina', initial: FIRST })
      expect(complained).toEqual([])
      expect(page()).toEqual(['idle', 'cached', '3', '0', 'unknown', 'Title of a'])
      await act(() => client.inbox.set(live([item('a'), item('b')])))
      expect([shown('status'), shown('unread'), titles()]).toEqual(['live', '2', ['Title of a', 'Title of b']])
    })

    it('shows the first inbox to nobody but the user it came with', async () => {
      const mounted = await open({ user: 'mina', initial: FIRST })
      await mounted.set({ user: 'jun', initial: FIRST })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['loading', '0', []])
    })

    it('shows the first inbox that came with another user, and nothing of the one before', async () => {
      const mounted = await open({ user: 'mina', initial: FIRST })
      await mounted.set({ user: 'jun', initial: { items: [item('b')], unread: 1 } })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['cached', '1', ['Title of b']])
      await mounted.set({ user: 'jun', initial: undefined })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['loading', '0', []])
    })

    it('takes a first inbox that came later, or anew, and tells the client its user once', async () => {
      const mounted = await open({ user: 'mina' })
      client.calls.length = 0
      await mounted.set({ user: 'mina', initial: { items: [item('a')], unread: 3 } })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['cached', '3', ['Title of a']])
      await mounted.set({ user: 'mina', initial: { items: [item('b')], unread: 4 } })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['cached', '4', ['Title of b']])
      expect(client.calls).toEqual([])
    })

    it('shows a first inbox that names its user to nobody else', async () => {
      const mounted = await open({ user: 'mina', initial: { ...FIRST, user: 'mina' } })
      expect(titles()).toEqual(['Title of a'])
      await mounted.set({ user: 'jun', initial: { items: [item('b')], unread: 1, user: 'mina' } })
      expect([shown('status'), titles()]).toEqual(['loading', []])
    })

    it('shows a first inbox that names its user where only the ticket will say who it is', async () => {
      await open({ initial: { ...FIRST, user: 'mina' } })
      expect(titles()).toEqual(['Title of a'])
    })

    for (const status of ['signed-out', 'failed'] as const) {
      it(`takes the first inbox away when the client is ${status}`, async () => {
        await open({ user: 'mina', initial: FIRST })
        await act(() => client.connection.set({ ...client.connection.get(), status }))
        expect([shown('connection'), shown('status'), shown('unread'), titles()]).toEqual([status, 'loading', '0', []])
      })
    }
  })
}
