// Uses the real client with its compiled core; only the server is scripted.
import { createTidings, type Tidings } from 'tidings'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { FakeServer } from '../../core/fake-server.js'
import type { Harness } from '../harness.js'
import { shown, titles } from '../page.js'

export function client({ act, mount }: Harness): void {
  describe('over the real client', () => {
    let server: FakeServer
    let tidings: Tidings
    const ticket = vi.fn(async ({ user }: { user: string | undefined }) => `ticket of ${user}`)

    beforeEach(() => {
      server = new FakeServer()
      tidings = createTidings({ url: 'http://localhost:8787', ticket, storage: 'memory' })
      ticket.mockClear()
    })
    afterEach(() => tidings.close())

    /**
     * Waits until the client's condition holds, and lets the page update. The client's parts load
     * when they are needed.
     */
    const until = (so: () => boolean) => act(() => vi.waitFor(() => expect(so()).toBe(true), { timeout: 20_000 }))
    const connected = () => until(() => tidings.connection.get().status === 'connected')

    async function open(user: string | null) {
      const page = await mount(tidings, { user })
      const socket = await server.accept()
      await connected()
      return { page, socket }
    }

    /** Opens the page with one notification. */
    async function openWithOne(user: string) {
      const opened = await open(user)
      opened.socket.say(server.notification())
      await until(() => tidings.inbox.get().items.length === 1)
      return opened
    }

    it('one connection opens with one ticket, and everything is shown and told once', async () => {
      const { page } = await openWithOne('u1')
      expect([shown('connection'), shown('unread'), titles()]).toEqual(['connected', '1', ['Title 1']])
      expect(page.probe.received).toEqual(['n1'])
      expect(server.sockets).toHaveLength(1)
      expect(ticket.mock.calls.map(([{ user }]) => user)).toEqual(['u1'])
    })

    it('a mark shows before the server has answered', async () => {
      const { page } = await openWithOne('u1')
      void page.probe.view!.markRead('n1')
      await until(() => tidings.inbox.get().unread === 0)
      expect([shown('unread'), titles()]).toEqual(['0', ['Title 1 (read)']])
      expect(tidings.inbox.get().items[0]?.pending).toBe(true)
    })

    it('nothing of the first user is shown once the second is given', async () => {
      const { page } = await openWithOne('u1')
      expect(titles()).toEqual(['Title 1'])
      server.user = 'u2'
      await page.set({ user: 'u2' })
      expect([shown('connection'), shown('unread'), titles()]).toEqual(['connecting', '0', []])
      await server.accept(2)
      await connected()
      expect(shown('unread')).toBe('1')
      expect(ticket.mock.calls.at(-1)?.[0].user).toBe('u2')
    })

    it('nobody does not connect', async () => {
      await mount(tidings, { user: null })
      expect([shown('connection'), shown('unread')]).toEqual(['signed-out', '0'])
      expect(ticket).not.toHaveBeenCalled()
    })
  })
}
