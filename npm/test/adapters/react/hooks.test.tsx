// @vitest-environment jsdom
// Tests for React alone; the others are in the scenarios.
import { act, cleanup, render, renderHook } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { TidingsProvider, useConnection, useNotifications, useReadable, useUnreadCount } from 'tidings/react'

import { fakeClient, item, live, readable, type FakeClient } from '../fake-client.js'

let client: FakeClient
const wrapper = ({ children }: { children: ReactNode }): ReactNode => <TidingsProvider client={client}>{children}</TidingsProvider>

beforeEach(() => {
  client = fakeClient()
})
afterEach(cleanup)

describe('a selection', () => {
  it('is the same object until its content changes', () => {
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

  it('follows a new inline selector at once', () => {
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
})

it('a hook subscribes once under StrictMode', () => {
  renderHook(() => [useConnection(), useNotifications(), useUnreadCount()], {
    wrapper: ({ children }) => <StrictMode>{wrapper({ children })}</StrictMode>,
  })
  expect([client.connection.subscribers(), client.inbox.subscribers()]).toEqual([1, 2])
})

it('renders once for a change, however many hooks of a component it concerns', () => {
  let renders = 0
  function List(): ReactNode {
    renders += 1
    return `${useNotifications().items.length} ${useUnreadCount()}`
  }
  render(<List />, { wrapper })
  const settled = renders
  act(() => client.inbox.set(live([item('a')])))
  expect(renders).toBe(settled + 1)
})
