// @vitest-environment jsdom
import { act, cleanup, render, renderHook, screen } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { TidingsProvider, useConnection, useNotifications, useReadable, useServerTime, useTidings, useTidingsEvent, useUnreadCount } from 'tidings/react'

import { fakeClient, item, live, readable, type FakeClient } from './fake-client.js'

let client: FakeClient
const wrapper = ({ children }: { children: ReactNode }): ReactNode => <TidingsProvider client={client}>{children}</TidingsProvider>

beforeEach(() => {
  client = fakeClient()
})
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

describe('the provider', () => {
  it('tells the client its user before anything below it makes the client connect', () => {
    const order: string[] = []
    const { subscribe } = client.inbox
    client.inbox.subscribe = fn => {
      order.push('subscribed')
      return subscribe(fn)
    }
    client.setUser = user => void order.push(`user ${user}`)
    function Count(): ReactNode {
      return useUnreadCount()
    }
    render(
      <TidingsProvider client={client} user="mina">
        <Count />
      </TidingsProvider>,
    )
    expect(order).toEqual(['user mina', 'subscribed'])
  })

  it('passes on another user, and nobody', () => {
    const page = (user: string | null): ReactNode => <TidingsProvider client={client} user={user} />
    const { rerender } = render(page('mina'))
    rerender(page('mina'))
    rerender(page('jun'))
    rerender(page(null))
    expect(client.calls).toEqual(['setUser "mina"', 'setUser "jun"', 'setUser null'])
  })

  it('leaves the user alone when it is given none', () => {
    render(<TidingsProvider client={client} />)
    expect(client.calls).toEqual([])
  })

  it('never closes or disconnects the client, which is the app’s', () => {
    render(<TidingsProvider client={client} user="mina" />).unmount()
    expect(client.calls).toEqual(['setUser "mina"'])
  })

  it('says what is missing when a hook is used without it', () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(() => renderHook(() => useTidings())).toThrow(/TidingsProvider/)
    vi.restoreAllMocks()
  })
})

describe('reading', () => {
  it('shows what the client holds and follows it', () => {
    const { result } = renderHook(() => [useConnection().status, useUnreadCount()], { wrapper })
    expect(result.current).toEqual(['idle', 0])
    act(() => {
      client.connection.set({ ...client.connection.get(), status: 'connected' })
      client.inbox.set(live([item('a'), item('b')]))
    })
    expect(result.current).toEqual(['connected', 2])
  })

  it('shows a change that happened between rendering and subscribing', () => {
    function Count(): ReactNode {
      return useUnreadCount()
    }
    const { subscribe } = client.inbox
    client.inbox.subscribe = fn => {
      client.inbox.set(live([item('a')]))
      return subscribe(fn)
    }
    render(<Count />, { wrapper })
    expect(document.body.textContent).toBe('1')
  })

  it('renders again only when the selected part has changed', () => {
    const source = readable({ a: 1, b: 1 })
    let renders = 0
    const { result } = renderHook(() => {
      renders += 1
      return useReadable(source, value => ({ twice: value.a * 2 }))
    })
    const before = result.current
    const settled = renders
    act(() => source.set({ a: 1, b: 2 }))
    expect(renders).toBe(settled)
    expect(result.current).toBe(before)
    act(() => source.set({ a: 2, b: 2 }))
    expect(renders).toBe(settled + 1)
    expect(result.current).toEqual({ twice: 4 })
  })

  it('uses a new inline selector at once', () => {
    const source = readable({ a: 1, b: 20 })
    const { result, rerender } = renderHook(({ key }: { key: 'a' | 'b' }) => useReadable(source, value => value[key]), {
      initialProps: { key: 'a' },
    })
    rerender({ key: 'b' })
    expect(result.current).toBe(20)
  })

  it('follows another readable and leaves the first', () => {
    const [first, second] = [readable(1), readable(2)]
    const { result, rerender } = renderHook(({ source }) => useReadable(source), { initialProps: { source: first } })
    rerender({ source: second })
    expect(result.current).toBe(2)
    expect([first.subscribers(), second.subscribers()]).toEqual([0, 1])
  })

  it('leaves nothing subscribed behind, also under StrictMode', () => {
    const { unmount } = renderHook(() => [useConnection(), useNotifications(), useUnreadCount()], {
      wrapper: ({ children }) => <StrictMode>{wrapper({ children })}</StrictMode>,
    })
    expect([client.connection.subscribers(), client.inbox.subscribers()]).toEqual([1, 2])
    unmount()
    expect([client.connection.subscribers(), client.inbox.subscribers()]).toEqual([0, 0])
  })
})

describe('notifications', () => {
  it('are a frozen object that is new only when its content is', () => {
    const { result, rerender } = renderHook(() => useNotifications(), { wrapper })
    act(() => client.inbox.set(live([item('a')])))
    const before = result.current
    rerender()
    expect(result.current).toBe(before)
    expect(Object.isFrozen(before)).toBe(true)
    act(() => client.inbox.set(live([item('a'), item('b')])))
    expect(result.current).not.toBe(before)
    expect(before.items).toHaveLength(1)
    expect(result.current.items).toHaveLength(2)
  })

  it('give functions that are stable and need no `this`', async () => {
    const { result } = renderHook(() => useNotifications(), { wrapper })
    const { markRead, archive, loadMore } = result.current
    act(() => client.inbox.set(live([item('a')])))
    expect([result.current.markRead, result.current.archive, result.current.loadMore]).toEqual([markRead, archive, loadMore])
    await Promise.all([markRead('a'), archive(['a', 'b']), loadMore()])
    expect(client.calls).toEqual(['markRead "a"', 'archive ["a","b"]', 'loadMore'])
  })

  it('do not subscribe again for a filter written inline', () => {
    const subscribe = vi.spyOn(client.viewOf({ show: 'unread', type: [] }), 'subscribe')
    const { rerender } = renderHook(() => useNotifications({ show: 'unread' }), { wrapper })
    rerender()
    rerender()
    expect(subscribe).toHaveBeenCalledTimes(1)
  })

  it('take filters that mean the same as one, and the default as the inbox itself', () => {
    renderHook(() => [useNotifications({ type: ['payment', 'like'] }), useNotifications({ type: ['like', 'payment'] })], { wrapper })
    expect(new Set(client.filters.map(filter => JSON.stringify(filter))).size).toBe(1)
    client.filters.length = 0
    renderHook(() => [useNotifications(), useNotifications({}), useNotifications({ show: 'inbox', type: [] })], { wrapper })
    expect(client.filters).toEqual([])
  })

  it('follow another filter', () => {
    client.viewOf({ show: 'archived', type: [] }).set(live([item('old')]))
    const { result, rerender } = renderHook(({ show }: { show: 'inbox' | 'archived' }) => useNotifications({ show }), {
      wrapper,
      initialProps: { show: 'inbox' },
    })
    rerender({ show: 'archived' })
    expect(result.current.items.map(({ id }) => id)).toEqual(['old'])
    expect(client.inbox.subscribers()).toBe(0)
  })

  it('render a bell once for a change of the count and not at all for others', () => {
    let renders = 0
    renderHook(
      () => {
        renders += 1
        return useUnreadCount()
      },
      { wrapper },
    )
    const settled = renders
    act(() => client.inbox.set(live([item('a')], { unread: 0 })))
    act(() => client.inbox.set(live([item('a'), item('b')], { unread: 0, hasMore: true })))
    expect(renders).toBe(settled)
    act(() => client.inbox.set(live([item('a')], { unread: 1 })))
    expect(renders).toBe(settled + 1)
  })
})

describe('events', () => {
  it('reach the function of the latest render without subscribing again', () => {
    const heard: string[] = []
    const on = vi.spyOn(client, 'on')
    const { rerender, unmount } = renderHook(
      ({ name }) => useTidingsEvent('arrived', ({ id }) => heard.push(`${name} ${id}`)),
      { wrapper, initialProps: { name: 'first' } },
    )
    client.raise('arrived', item('a'))
    rerender({ name: 'second' })
    client.raise('arrived', item('b'))
    expect(heard).toEqual(['first a', 'second b'])
    expect(on).toHaveBeenCalledTimes(1)
    unmount()
    expect(client.listeners('arrived')).toBe(0)
  })

  it('are heard once under StrictMode', () => {
    const heard: string[] = []
    function Listener(): ReactNode {
      useTidingsEvent('arrived', ({ id }) => heard.push(id))
      return null
    }
    render(
      <StrictMode>
        <TidingsProvider client={client}>
          <Listener />
        </TidingsProvider>
      </StrictMode>,
    )
    client.raise('arrived', item('a'))
    expect(heard).toEqual(['a'])
  })
})

describe('the server’s time', () => {
  it('is null until the client knows it, then ticks', () => {
    vi.useFakeTimers()
    const { result } = renderHook(() => useServerTime({ every: 1000 }), { wrapper })
    expect(result.current).toBeNull()
    client.setNow(5000)
    act(() => client.connection.set({ ...client.connection.get(), status: 'connected' }))
    expect(result.current).toBe(5000)
    client.setNow(6000)
    act(() => void vi.advanceTimersByTime(1000))
    expect(result.current).toBe(6000)
  })
})

describe('what is on screen', () => {
  it('never mixes two moments of the inbox', () => {
    const seen: string[] = []
    function List(): ReactNode {
      const { items, unread } = useNotifications()
      const badge = useUnreadCount()
      seen.push(`${items.length} ${unread} ${badge}`)
      return <output>{badge}</output>
    }
    render(<List />, { wrapper })
    act(() => client.inbox.set(live([item('a')])))
    act(() => client.inbox.set(live([item('a'), item('b')])))
    expect(screen.getByRole('status').textContent).toBe('2')
    expect(new Set(seen)).toEqual(new Set(['0 0 0', '1 1 1', '2 2 2']))
  })
})
