// @vitest-environment jsdom
import { act, cleanup, render } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { TidingsProvider, useSeen, type SeenItem } from 'tidings/react'

import { fakeClient, type FakeClient } from './fake-client.js'

/** jsdom lays nothing out, so the test says what is in view. */
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
  for (const observer of Observer.all) {
    observer.changed([
      { target, isIntersecting: share > 0, intersectionRatio: share, intersectionRect: rect, rootBounds: { height: 600 } as DOMRectReadOnly },
    ])
  }
}

const watching = (): number => Observer.all.reduce((sum, { observed }) => sum + observed.size, 0)
const pass = (ms: number): void => act(() => void vi.advanceTimersByTime(ms))

function Row({ item }: { item: SeenItem }): ReactNode {
  return <li ref={useSeen(item)} id={item.id} />
}
const list = (client: FakeClient, items: readonly SeenItem[]): ReactNode => (
  <StrictMode>
    <TidingsProvider client={client}>
      {items.map(item => (
        <Row key={item.id} item={item} />
      ))}
    </TidingsProvider>
  </StrictMode>
)

let client: FakeClient
beforeEach(() => {
  client = fakeClient()
  Observer.all = []
  vi.useFakeTimers()
  vi.stubGlobal('IntersectionObserver', Observer)
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('an item', () => {
  it('is seen once it was half visible for half a second', () => {
    render(list(client, [{ id: 'a', seen: false }]))
    show('a', 0.5)
    pass(499)
    expect(client.calls).toEqual([])
    pass(200)
    expect(client.calls).toEqual(['markSeen ["a"]'])
    expect(watching()).toBe(0)
  })

  it('is not seen when it was only scrolled past', () => {
    render(list(client, [{ id: 'a', seen: false }]))
    show('a', 1)
    pass(300)
    show('a', 0.2)
    pass(5000)
    expect(client.calls).toEqual([])
  })

  it('that is seen already is not watched', () => {
    const { rerender } = render(list(client, [{ id: 'a', seen: true }]))
    expect(watching()).toBe(0)
    rerender(list(client, [{ id: 'a', seen: false }]))
    expect(watching()).toBe(1)
    rerender(list(client, [{ id: 'a', seen: true }]))
    expect(watching()).toBe(0)
  })

  it('is not seen in a hidden page, but once the page is shown', () => {
    const state = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    render(list(client, [{ id: 'a', seen: false }]))
    show('a', 1)
    pass(5000)
    expect(client.calls).toEqual([])
    state.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    pass(1000)
    expect(client.calls).toEqual(['markSeen ["a"]'])
  })

  it('is not marked when it is gone in time', () => {
    const { unmount } = render(list(client, [{ id: 'a', seen: false }]))
    show('a', 1)
    unmount()
    pass(5000)
    expect(client.calls).toEqual([])
  })
})

describe('items', () => {
  it('that come into view together are marked in one call', () => {
    render(list(client, [{ id: 'a', seen: false }, { id: 'b', seen: false }, { id: 'c', seen: false }]))
    show('a', 1)
    pass(50)
    show('b', 1)
    pass(1000)
    expect(client.calls).toEqual(['markSeen ["a","b"]'])
  })
})

it('does nothing where the browser cannot observe', () => {
  vi.stubGlobal('IntersectionObserver', undefined)
  render(list(client, [{ id: 'a', seen: false }]))
  pass(5000)
  expect(client.calls).toEqual([])
})
