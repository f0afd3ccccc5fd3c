import { beforeEach, describe, expect, it, vi } from 'vitest'

import { fakeClient, item, live, type FakeClient } from '../fake-client.js'
import type { Harness } from '../harness.js'
import { shown, titles } from '../page.js'

export function notifications({ act, mount }: Harness): void {
  let client: FakeClient
  beforeEach(() => {
    client = fakeClient()
  })

  describe('a view', () => {
    it('has all that a snapshot has', async () => {
      const { probe } = await mount(client)
      const snapshot = live([item('a')], { count: 7, hasMore: true, loadingMore: true })
      await act(() => client.inbox.set(snapshot))
      expect({ ...probe.view }).toMatchObject(snapshot)
    })

    it('gives functions that are stable and need no `this`', async () => {
      const { probe } = await mount(client)
      const { markRead, markUnread, markSeen, archive, unarchive, loadMore } = probe.view!
      await act(() => client.inbox.set(live([item('a')])))
      expect(probe.view).toMatchObject({ markRead, markUnread, markSeen, archive, unarchive, loadMore })
      await Promise.all([markRead('a'), markUnread('a'), markSeen('a'), archive(['a', 'b']), unarchive(item('b')), loadMore()])
      expect(client.calls).toEqual([
        'markRead "a"',
        'markUnread "a"',
        'markSeen "a"',
        'archive ["a","b"]',
        `unarchive ${JSON.stringify(item('b'))}`,
        'loadMore',
      ])
    })

    it('can’t be written to', async () => {
      const { probe } = await mount(client)
      expect(() => Object.assign(probe.view!, { unread: 5 })).toThrow(TypeError)
    })

    it('is the inbox itself for every filter that means it', async () => {
      const page = await mount(client)
      for (const filter of [{}, { show: 'inbox' as const }, { type: [] }]) await page.set({ filter })
      expect(client.filters).toEqual([])
    })

    it('is one for filters that mean the same', async () => {
      const subscribe = vi.spyOn(client.viewOf({ show: 'unread', type: ['like', 'payment'] }), 'subscribe')
      const page = await mount(client, { filter: { show: 'unread', type: ['payment', 'like'] } })
      const subscribed = subscribe.mock.calls.length
      const settled = page.probe.runs.list
      expect(subscribed).toBeGreaterThan(0)
      await page.set({ filter: { show: 'unread', type: ['like', 'payment'] } })
      expect(subscribe).toHaveBeenCalledTimes(subscribed)
      expect(new Set(client.filters.map(filter => JSON.stringify(filter))).size).toBe(1)
      await act(() => client.viewOf({ show: 'unread', type: ['like', 'payment'] }).set(live([item('a')])))
      expect(titles()).toEqual(['Title of a'])
      expect(page.probe.runs.list).toBeGreaterThan(settled)
    })

    it('follows another filter and lets go of the first view', async () => {
      const archived = client.viewOf({ show: 'archived', type: [] })
      const unread = client.viewOf({ show: 'unread', type: [] })
      archived.set(live([item('old')]))
      const page = await mount(client, { filter: { show: 'unread' } })
      await act(() => unread.set(live([item('new')])))
      expect(titles()).toEqual(['Title of new'])
      await page.set({ filter: { show: 'archived' } })
      expect([shown('status'), titles()]).toEqual(['live', ['Title of old']])
      expect([unread.subscribers(), archived.subscribers() > 0]).toEqual([0, true])
      await act(() => archived.set(live([item('older')])))
      expect(titles()).toEqual(['Title of older'])
      await page.unmount()
      expect(archived.subscribers()).toBe(0)
    })

    it('loads older items of the filter it has by now', async () => {
      const loaded: string[] = []
      for (const show of ['unread', 'archived'] as const) {
        const view = client.viewOf({ show, type: [] }) as unknown as { loadMore(): Promise<void> }
        view.loadMore = async () => void loaded.push(show)
      }
      const page = await mount(client, { filter: { show: 'unread' } })
      await page.probe.view!.loadMore()
      await page.set({ filter: { show: 'archived' } })
      await page.probe.view!.loadMore()
      expect(loaded).toEqual(['unread', 'archived'])
    })
  })
}
