import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lanes } from '../../src/later/lanes.js'
import { storage } from '../../src/storage.js'
import { CLAIM, KEEP, KEPT, LANES, LANES_FAILED, RELEASE } from '../../src/words.js'

/** Web Locks of one browser, as far as lanes use them. */
function locks() {
  const held = new Set<string>()
  return {
    async request(name: string, _options: object, work: (lock: object | null) => unknown) {
      if (held.has(name)) return work(null)
      held.add(name)
      try {
        return await work({ name })
      } finally {
        held.delete(name)
      }
    },
  }
}

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('navigator', { locks: locks() })
})
afterEach(() => vi.unstubAllGlobals())

/** A page's lanes, and what they told its core. */
function page() {
  const told: unknown[][] = []
  const saved = storage(() => 'wss://rt.example/v1/ws')
  const life = new AbortController()
  const ask = lanes(saved.transact, (...words) => void told.push(words), KEPT, life.signal)
  return {
    told,
    saved,
    keep: (number: number, text: string) => ask(0, number, text),
    claim: (user: string) => ask(CLAIM - KEEP, 0, user),
    release: (lane: string) => ask(RELEASE - KEEP, 0, lane),
    close: () => life.abort(),
  }
}

const keep = (...changes: unknown[]) => JSON.stringify({ user: 'u1', changes })

test('rows of a page that lives are its own; of one that is dead, whoever claims them first', async () => {
  const [one, two, three] = [page(), page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y\nz'], ['a-1', 10, 'w']))
  expect(one.told).toEqual([[KEPT, '', 1]])
  await one.keep(2, keep(['a-1', 1]))
  await two.claim('u1')
  expect(two.told).toEqual([[LANES, '["u1"]']])
  one.close()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told.at(-1)).toEqual([LANES, JSON.stringify(['u1', 'a-1', '2', 'y\nz', 'a-1', '10', 'w'])])
  })
  await three.claim('u1')
  await three.claim('u2')
  await two.claim('u1')
  expect([...three.told, two.told.at(-1)]).toEqual([[LANES, '["u1"]'], [LANES, '["u2"]'], [LANES, '["u1"]']])
})

test('a move is one transaction', async () => {
  const one = page()
  await one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y']))
  await one.keep(2, keep(['a-2', 1, 'y'], ['a-1', 2]))
  one.close()
  const two = page()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told.at(-1)).toEqual([LANES, JSON.stringify(['u1', 'a-1', '1', 'x', 'a-2', '1', 'y'])])
  })
})

test('a lane that another page holds is not written to', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.keep(1, keep(['a-1', 2, 'y']))
  expect(two.told).toEqual([[LANES_FAILED, expect.stringContaining('another page')]])
})

test('a lane that was let go is anybody’s, after what was asked before', async () => {
  const [one, two] = [page(), page()]
  const kept = one.keep(1, keep(['a-1', 1, 'x']))
  await one.release('a-1')
  await kept
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told.at(-1)).toEqual([LANES, JSON.stringify(['u1', 'a-1', '1', 'x'])])
  })
})

test('without Web Locks nothing is kept, and it is said why', async () => {
  vi.stubGlobal('navigator', {})
  const one = page()
  await one.keep(1, keep(['a-1', 1, 'x']))
  expect(one.told).toEqual([[LANES_FAILED, expect.stringContaining('Web Locks')]])
})

test('wiping a user takes their rows and the caches of their channels, and nobody else’s', async () => {
  const one = page()
  const cache = (user: string) => one.saved.save({ user, cursors: [['e', 1], ['e', 1]], over: [], text: user })
  for (const user of ['u1', 'u1\troom:1', 'u12', 'u12\troom:1']) await cache(user)
  await one.keep(1, keep(['a-1', 1, 'x']))
  await one.saved.wipe('u1')
  expect(await Promise.all(['u1', 'u1\troom:1', 'u12', 'u12\troom:1'].map((user) => one.saved.load(user)))).toEqual([undefined, undefined, 'u12', 'u12\troom:1'])
  one.close()
  const two = page()
  await two.claim('u1')
  expect(two.told).toEqual([[LANES, '["u1"]']])
})
