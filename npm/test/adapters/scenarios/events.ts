import { beforeEach, describe, expect, it, vi } from 'vitest'

import { fakeClient, item, type FakeClient } from '../fake-client.js'
import type { Harness } from '../harness.js'
import { shown } from '../page.js'

export function events({ act, mount }: Harness): void {
  let client: FakeClient
  beforeEach(() => {
    client = fakeClient()
  })

  describe('events', () => {
    it('are heard once, by what the component says now, without listening again', async () => {
      const on = vi.spyOn(client, 'on')
      const page = await mount(client, { greeting: 'first ' })
      const listened = on.mock.calls.length
      await act(() => client.raise('arrived', item('a')))
      await page.set({ greeting: 'second ' })
      await act(() => client.raise('arrived', item('b')))
      expect(page.probe.received).toEqual(['first a', 'second b'])
      expect(on).toHaveBeenCalledTimes(listened)
    })

    it('are not heard any more by what has left', async () => {
      const page = await mount(client)
      await page.unmount()
      client.raise('arrived', item('a'))
      expect(page.probe.received).toEqual([])
    })
  })

  describe('the server’s time', () => {
    it('is unknown until the client knows it, then ticks', async () => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
      const page = await mount(client)
      expect(shown('time')).toBe('unknown')
      client.setNow(5000)
      await act(() => client.connection.set({ ...client.connection.get(), status: 'connected' }))
      expect(shown('time')).toBe('5000')
      client.setNow(6000)
      await act(() => void vi.advanceTimersByTime(1000))
      expect(shown('time')).toBe('6000')
      await page.unmount()
      expect(vi.getTimerCount()).toBe(0)
    })
  })
}
