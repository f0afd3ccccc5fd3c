import 'fake-indexeddb/auto'
import { IDBFactory, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { host, type HostNeeds } from '../../src/host.js'
import { storage } from '../../src/storage.js'
import { CLAIM, KEEP, KEPT, LANES, LOAD, LOADED, SAVE, STORAGE_FAILED, WIPE } from '../../src/words.js'

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('navigator', { locks: { request: async (name: string, _: object, work: (lock: object) => unknown) => work({ name }) } })
})
afterEach(() => vi.unstubAllGlobals())

/** A host over the real storage, with what it told its core, and a save that waits until it is let go. */
function world() {
  const told: unknown[][] = []
  const real = storage(() => 'wss://rt.example/v1/ws')
  const done: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => (letGo = resolve))
  const needs = {
    url: () => '',
    heard() {},
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
    (...words) => {
      told.push(words)
      if (words[0] === KEPT) done.push('kept')
    },
    new AbortController().signal,
  )
  return { told, done, real, say, letGo }
}

const cache = (text: string) => JSON.stringify({ user: 'u1', cursors: [['e', 1], ['e', 1]], over: [], text })
const row = JSON.stringify({ user: 'u1', changes: [['a-1', 1, 'x']] })

test('rows are given up only after the cache that was to be saved before', async () => {
  const { done, real, say, letGo } = world()
  say(SAVE, 0, cache('shows it'))
  say(KEEP, 1, JSON.stringify({ user: 'u1', changes: [['a-1', 1]] }))
  // Long enough for a row that would not wait: its transaction would come before the last of these.
  await import('../../src/later/world.js')
  for (let look = 0; look < 10; look++) await real.load('u1')
  expect(done).toEqual([])
  letGo()
  await vi.waitFor(() => expect(done).toEqual(['save', 'kept']), 10_000)
})

test('what was asked before a wipe does not come back after it', async () => {
  const { told, real, say, letGo } = world()
  say(SAVE, 0, cache('secret'))
  say(KEEP, 1, row)
  say(WIPE, 0, 'u1')
  say(LOAD, 0, 'u1')
  letGo()
  say(CLAIM, 0, 'u1')
  await vi.waitFor(() => expect(told.map(([what]) => what)).toContain(LANES), 10_000)
  expect(told).toContainEqual([LOADED, 'u1\n'])
  expect(told).toContainEqual([LANES, '["u1"]'])
  expect(await real.load('u1')).toBeUndefined()
})

test('a save that fails says so, and what was asked after it is done all the same', async () => {
  const { told, say, letGo } = world()
  const full = () => {
    throw new Error('quota')
  }
  // It is tried twice: the connection might have been gone.
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(full).mockImplementationOnce(full)
  say(SAVE, 0, cache('too much'))
  letGo()
  say(KEEP, 1, row)
  await vi.waitFor(() => expect(told).toContainEqual([KEPT, '', 1]), 10_000)
  expect(told[0]).toEqual([STORAGE_FAILED, expect.any(String)])
})
