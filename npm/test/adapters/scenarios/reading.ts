import { beforeEach, describe, expect, it } from 'vitest'

import { fakeClient, item, live, LOADING, type FakeClient } from '../fake-client.js'
import type { Harness } from '../harness.js'
import { shown, titles } from '../page.js'

export function reading({ act, mount }: Harness): void {
  let client: FakeClient
  beforeEach(() => {
    client = fakeClient()
  })

  describe('what is on screen', () => {
    it('is what the client holds, and follows it', async () => {
      await mount(client)
      expect([shown('connection'), shown('status'), shown('unread'), titles()]).toEqual(['idle', 'loading', '0', []])
      await act(() => {
        client.connection.set({ ...client.connection.get(), status: 'connected' })
        client.inbox.set(live([item('a'), item('b')]))
      })
      expect([shown('connection'), shown('status'), shown('unread')]).toEqual(['connected', 'live', '2'])
      expect(titles()).toEqual(['Title of a', 'Title of b'])
    })

    it('is what the client held before the page came', async () => {
      client.inbox.set(live([item('a')]))
      await mount(client)
      expect([shown('unread'), titles()]).toEqual(['1', ['Title of a']])
    })

    it('is also what changed between the first reading and the subscription', async () => {
      const { subscribe } = client.inbox
      client.inbox.subscribe = fn => {
        client.inbox.set(live([item('a')]))
        return subscribe(fn)
      }
      await mount(client)
      expect([shown('unread'), titles()]).toEqual(['1', ['Title of a']])
    })

    it('never mixes two moments of the inbox', async () => {
      const { probe } = await mount(client)
      await act(() => client.inbox.set(live([item('a')])))
      await act(() => client.inbox.set(live([item('a'), item('b')])))
      await act(() => {
        client.inbox.set(live([item('b')]))
        client.inbox.set(LOADING)
      })
      expect([...new Set(probe.moments)]).toEqual(['0 0 0', '1 1 1', '2 2 2'])
      expect(probe.moments.at(-1)).toBe('0 0 0')
    })

    it('is brought up to date once for a change, and not at all for a change elsewhere', async () => {
      const { probe } = await mount(client)
      await act(() => client.inbox.set(live([item('a')], { unread: 0 })))
      const before = { ...probe.runs }
      await act(() => client.inbox.set(live([item('a'), item('b')], { unread: 0, unseen: 1 })))
      expect(probe.runs).toEqual({ bell: before.bell, list: before.list + 1, unseen: before.unseen })
      await act(() => client.inbox.set(live([item('a')], { unread: 1, unseen: 1 })))
      expect(probe.runs).toEqual({ bell: before.bell + 1, list: before.list + 2, unseen: before.unseen })
      await act(() => client.connection.set({ ...client.connection.get(), status: 'connected' }))
      expect(probe.runs).toEqual({ bell: before.bell + 1, list: before.list + 2, unseen: before.unseen })
    })

    it('is let go of when it leaves, and there again when it comes back', async () => {
      const page = await mount(client)
      expect(client.inbox.subscribers()).toBeGreaterThan(0)
      expect([client.connection.subscribers() > 0, client.listeners('arrived')]).toEqual([true, 1])
      await page.unmount()
      expect([client.inbox.subscribers(), client.connection.subscribers(), client.listeners('arrived')]).toEqual([0, 0, 0])
      client.inbox.set(live([item('a')]))
      const again = await mount(client)
      expect([shown('unread'), titles()]).toEqual(['1', ['Title of a']])
      await act(() => client.inbox.set(live([item('a'), item('b')])))
      expect([shown('unread'), titles()]).toEqual(['2', ['Title of a', 'Title of b']])
      await again.unmount()
      expect([client.inbox.subscribers(), client.connection.subscribers(), client.listeners('arrived')]).toEqual([0, 0, 0])
    })

    it('shows nothing of the first user once the second is given', async () => {
      const page = await mount(client, { user: 'mina' })
      await act(() => client.inbox.set(live([item('of mina')])))
      client.setUser = () => client.inbox.set(LOADING)
      await page.set({ user: 'jun' })
      expect([shown('status'), shown('unread'), titles()]).toEqual(['loading', '0', []])
    })
  })
}
