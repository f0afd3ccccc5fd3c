import 'fake-indexeddb/auto'
import { IDBFactory, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { host, type HostNeeds } from '../../src/host.js'
import { storage } from '../../src/storage.js'
import {
  CACHE_LOADED,
  CLAIM_LANES,
  CLOSE_TRANSPORT,
  LANES_CLAIMED,
  LOAD_CACHE,
  OPEN_TRANSPORT,
  OUTBOX_PERSISTED,
  PERSIST_OUTBOX,
  SAVE_CACHE,
  SEND,
  SET_TIMER,
  STORAGE_FAILED,
  TRANSPORT_CLOSED,
  WIPE,
} from '../../src/generated/ops.js'

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('navigator', { locks: { request: async (name: string, _: object, work: (lock: object) => unknown) => work({ name }) } })
})
afterEach(() => vi.unstubAllGlobals())

/** A host over the real storage, with its calls to the core. A save waits until it is released. */
function world() {
  const told: unknown[][] = []
  const real = storage(() => 'wss://rt.example/v1/ws')
  const done: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => (letGo = resolve))
  const control = new AbortController()
  const turn = vi.fn()
  const needs = {
    url: () => 'ws://localhost:1/v1/ws',
    receive() {},
    tickets: {},
    storage: {
      ...real,
      async save(cache: Parameters<typeof real.save>[0]) {
        await held
        await real.save(cache)
        done.push('save')
      },
    },
  } as unknown as HostNeeds
  const { say } = host(
    needs,
    {
      tell(...op) {
        told.push(op)
        if (op[0] === OUTBOX_PERSISTED) done.push('kept')
      },
      turn,
      more() {},
    },
    control.signal,
  )
  return { told, done, real, say, letGo, turn, end: () => control.abort() }
}

const cache = (text: string) => JSON.stringify({ user: 'u1', cursors: [['e', 1], ['e', 1]], over: [], text })
const row = JSON.stringify({ user: 'u1', changes: [['a-1', 1, 'x']] })

test('rows are given up only after the cache that was to be saved before', async () => {
  const { done, real, say, letGo } = world()
  say(SAVE_CACHE, 0, cache('shows it'))
  say(PERSIST_OUTBOX, 1, JSON.stringify({ user: 'u1', changes: [['a-1', 1]] }))
  // Long enough for a row that would not wait: its transaction would come before the last of these.
  await import('../../src/lazy/io.js')
  for (let look = 0; look < 10; look++) await real.load('u1')
  expect(done).toEqual([])
  letGo()
  await vi.waitFor(() => expect(done).toEqual(['save', 'kept']), 10_000)
})

test('what was asked before a wipe does not come back after it', async () => {
  const { told, real, say, letGo } = world()
  say(SAVE_CACHE, 0, cache('secret'))
  say(PERSIST_OUTBOX, 1, row)
  say(WIPE, 0, 'u1')
  say(LOAD_CACHE, 0, 'u1')
  letGo()
  say(CLAIM_LANES, 0, 'u1')
  await vi.waitFor(() => expect(told.map(([what]) => what)).toContain(LANES_CLAIMED), 10_000)
  expect(told).toContainEqual([CACHE_LOADED, 'u1', ''])
  expect(told).toContainEqual([LANES_CLAIMED, 'u1', '[]'])
  expect(await real.load('u1')).toBeUndefined()
})

test('a save that fails says so, and what was asked after it is done all the same', async () => {
  const { told, say, letGo } = world()
  const full = () => {
    throw new Error('quota')
  }
  // Both attempts fail: after the first the connection might have been lost.
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(full).mockImplementationOnce(full)
  say(SAVE_CACHE, 0, cache('too much'))
  letGo()
  say(PERSIST_OUTBOX, 1, row)
  await vi.waitFor(() => expect(told).toContainEqual([OUTBOX_PERSISTED, 1]), 10_000)
  expect(told[0]).toEqual([STORAGE_FAILED, expect.any(String)])
})

test('a socket that the browser refuses to make is told as closed, not before the core is done', async () => {
  const asked: string[] = []
  vi.stubGlobal('WebSocket', class {
    constructor(url: string) {
      asked.push(url)
      throw new DOMException('refused', 'SecurityError')
    }
  })
  const { say, told } = world()
  say(OPEN_TRANSPORT, 7, '')
  expect(told).toEqual([])
  await Promise.resolve()
  expect(asked).toEqual(['ws://localhost:1/v1/ws'])
  expect(told).toEqual([[TRANSPORT_CLOSED, 7, 1006, expect.stringContaining('no socket to this `url`')]])
})

test('a socket that can neither send nor close throws nothing at the core, and ends with its core', () => {
  const closed: unknown[] = []
  vi.stubGlobal('WebSocket', class extends EventTarget {
    send() {
      throw new DOMException('connecting', 'InvalidStateError')
    }
    close(code?: number) {
      closed.push(code)
      if (code === 5) throw new DOMException('code', 'InvalidAccessError')
    }
  })
  const { say, end } = world()
  say(SEND, 1, 'before there is one')
  say(OPEN_TRANSPORT, 1, '')
  say(SEND, 1, 'x')
  say(CLOSE_TRANSPORT, 5, '')
  end()
  expect(closed).toEqual([5, undefined])
})

test('a timer that is early enough is left alone, an earlier one takes its place, and none outlives its core', () => {
  vi.useFakeTimers()
  const at = (ms: number) => performance.now() + ms
  const { say, turn, end } = world()
  say(SET_TIMER, at(1_000), '')
  say(SET_TIMER, at(5_000), '')
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(999)
  say(SET_TIMER, at(10), '')
  vi.advanceTimersByTime(10)
  expect(turn).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
  // A delay longer than the browser's limit is split.
  say(SET_TIMER, at(2 ** 40), '')
  vi.advanceTimersByTime(2 ** 31 - 2)
  expect(turn).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  expect(turn).toHaveBeenCalledTimes(2)
  say(SET_TIMER, at(1_000), '')
  say(SET_TIMER, 0, '')
  expect(vi.getTimerCount()).toBe(0)
  say(SET_TIMER, at(1_000), '')
  end()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})
