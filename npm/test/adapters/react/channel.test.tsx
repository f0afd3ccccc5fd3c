// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react'
import type { ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { TidingsProvider, useChannel } from 'tidings/react'

import { fakeClient, type FakeClient } from '../fake-client.js'

let client: FakeClient
const wrapper = ({ children }: { children: ReactNode }): ReactNode => <TidingsProvider client={client}>{children}</TidingsProvider>

beforeEach(() => {
  client = fakeClient()
})
afterEach(cleanup)

describe('a channel', () => {
  it('is read while it is mounted, and shows what comes', () => {
    const { result, unmount } = renderHook(() => useChannel('room:1'), { wrapper })
    expect(result.current.status).toBe('idle')
    const room = client.roomOf('room:1')
    expect(room.subscribers()).toBe(1)
    act(() => room.set({ ...room.initial, status: 'live' }))
    expect(result.current.status).toBe('live')
    unmount()
    expect(room.subscribers()).toBe(0)
  })

  it('keeps its functions and its identity while nothing changes', () => {
    const { result, rerender } = renderHook(() => useChannel('room:1'), { wrapper })
    const before = result.current
    rerender()
    expect(result.current).toBe(before)
    void result.current.publish({ text: 'hi' })
    expect(client.calls.join()).toContain('publish')
  })

  it('changes with its name, and reads nothing without one', async () => {
    const { result, rerender } = renderHook(({ name }) => useChannel(name), { wrapper, initialProps: { name: 'room:1' as `${string}:${string}` | null } })
    rerender({ name: 'room:2' })
    expect([client.roomOf('room:1').subscribers(), client.roomOf('room:2').subscribers()]).toEqual([0, 1])
    rerender({ name: null })
    expect(client.roomOf('room:2').subscribers()).toBe(0)
    expect(result.current.messages).toEqual([])
    await expect(result.current.publish('x')).rejects.toThrow('null')
  })
})
