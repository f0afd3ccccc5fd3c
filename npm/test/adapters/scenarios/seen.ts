import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { fakeClient, item, live, type FakeClient } from '../fake-client.js'
import type { Harness } from '../harness.js'

/** jsdom has no layout, so the test decides which elements are in view. */
class Observer {
  static all: Observer[] = []
  readonly observed = new Set<Element>()
  readonly changed: (changes: Partial<IntersectionObserverEntry>[]) => void
  constructor(changed: (changes: Partial<IntersectionObserverEntry>[]) => void) {
    this.changed = changed
    Observer.all.push(this)
  }
  observe(element: Element): void {
    this.observed.add(element)
  }
  unobserve(element: Element): void {
    this.observed.delete(element)
  }
}

function show(id: string, share: number): void {
  const target = document.getElementById(id)!
  const rect = { height: 40 * share } as DOMRectReadOnly
  const rootBounds = { height: 600 } as DOMRectReadOnly
  for (const observer of Observer.all) {
    observer.changed([{ target, isIntersecting: share > 0, intersectionRatio: share, intersectionRect: rect, rootBounds }])
  }
}

const watching = (): number => Observer.all.reduce((sum, { observed }) => sum + observed.size, 0)

export function seen({ act, mount }: Harness): void {
  let client: FakeClient
  beforeEach(() => {
    client = fakeClient()
    Observer.all = []
    vi.stubGlobal('IntersectionObserver', Observer)
  })
  afterEach(() => void vi.unstubAllGlobals())

  const pass = (ms: number) => act(() => void vi.advanceTimersByTime(ms))
  const open = async (...ids: string[]) => {
    client.inbox.set(live(ids.map(id => item(id))))
    const page = await mount(client)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    return page
  }

  describe('an item', () => {
    it('is seen once it was half visible for half a second', async () => {
      await open('a')
      show('a', 0.5)
      await pass(499)
      expect(client.calls).toEqual([])
      await pass(200)
      expect(client.calls).toEqual(['markSeen ["a"]'])
      expect(watching()).toBe(0)
    })

    it('is not seen when it was only scrolled past', async () => {
      await open('a')
      show('a', 1)
      await pass(300)
      show('a', 0.2)
      await pass(5000)
      expect(client.calls).toEqual([])
    })

    it('that is seen already is not watched', async () => {
      await open('a')
      expect(watching()).toBe(1)
      await act(() => client.inbox.set(live([item('a', { seen: true })])))
      expect(watching()).toBe(0)
      await act(() => client.inbox.set(live([item('a')])))
      expect(watching()).toBe(1)
    })

    it('is not seen in a hidden page, but once the page is shown', async () => {
      const state = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
      await open('a')
      show('a', 1)
      await pass(5000)
      expect(client.calls).toEqual([])
      state.mockReturnValue('visible')
      document.dispatchEvent(new Event('visibilitychange'))
      await pass(1000)
      expect(client.calls).toEqual(['markSeen ["a"]'])
    })

    it('is not marked when it leaves in time, alone or with the page', async () => {
      const page = await open('a', 'b')
      show('a', 1)
      show('b', 1)
      await act(() => client.inbox.set(live([item('b')])))
      expect(watching()).toBe(1)
      await page.unmount()
      await pass(5000)
      expect(client.calls).toEqual([])
      expect(watching()).toBe(0)
    })

    it('is left alone where the browser can’t observe', async () => {
      vi.stubGlobal('IntersectionObserver', undefined)
      await open('a')
      await pass(5000)
      expect(client.calls).toEqual([])
    })
  })

  it('items that come into view together are marked in one call', async () => {
    await open('a', 'b', 'c')
    show('a', 1)
    await pass(50)
    show('b', 1)
    await pass(1000)
    expect(client.calls).toEqual(['markSeen ["a","b"]'])
  })
}
