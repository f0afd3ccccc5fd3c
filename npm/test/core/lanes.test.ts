import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lanes } from '../../src/later/lanes.js'
import { storage } from '../../src/storage.js'
import { CLAIM, KEEP, KEPT, LANES, LANES_FAILED, RELEASE } from '../../src/words.js'

/** Web Locks of one browser, as far as lanes use them: the first that asks has it, others wait in a row. */
class Locks {
  readonly #held = new Set<string>()
  readonly #waiting = new Map<string, (() => void)[]>()

  async request(name: string, { ifAvailable = false, signal }: LockOptions, work: (lock: object | null) => unknown) {
    if (this.#held.has(name)) {
      if (ifAvailable) return work(null)
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(name, [...this.#row(name), resolve])
        signal?.addEventListener('abort', () => {
          this.#waiting.set(name, this.#row(name).filter((one) => one !== resolve))
          reject(signal.reason as Error)
        })
      })
    }
    this.#held.add(name)
    try {
      return await work({ name })
    } finally {
      this.#held.delete(name)
      const [next, ...rest] = this.#row(name)
      this.#waiting.set(name, rest)
      next?.()
    }
  }

  /** How many wait for any lock. */
  get waiting(): number {
    return [...this.#waiting.values()].flat().length
  }

  #row(name: string) {
    return this.#waiting.get(name) ?? []
  }
}

let locks: Locks

beforeEach(() => {
  locks = new Locks()
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('navigator', { locks })
})
afterEach(() => vi.unstubAllGlobals())

/** A page's lanes, and what they told its core. */
function page() {
  const told: unknown[][] = []
  const saved = storage(() => 'wss://rt.example/v1/ws')
  const life = new AbortController()
  const ask = lanes(saved, () => {}, (...words) => void told.push(words), KEPT, life.signal)
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

/** Waits until a page was told of these lanes. */
const heard = ({ told }: { told: unknown[][] }, ...words: string[]) => vi.waitFor(() => expect(told).toContainEqual([LANES, JSON.stringify(words)]), 10_000)

test('rows of a page that lives are its own; of one that is dead, whoever claims them first', async () => {
  const [one, two, three] = [page(), page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y\nz'], ['a-1', 10, 'w']))
  expect(one.told).toEqual([[KEPT, '', 1]])
  await one.keep(2, keep(['a-1', 1]))
  await two.claim('u1')
  expect(two.told).toEqual([[LANES, '["u1"]']])
  one.close()
  await heard(two, 'u1', 'a-1', '2', 'y\nz', 'a-1', '10', 'w')
  await three.claim('u1')
  await three.claim('u2')
  await two.claim('u1')
  expect([...three.told, two.told.at(-1)]).toEqual([[LANES, '["u1"]'], [LANES, '["u2"]'], [LANES, '["u1"]']])
})

test('a lane comes unasked the moment its page is dead, however long it takes to die', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  // What it did between the look and its death counts, too.
  await one.keep(2, keep(['a-1', 2, 'y']))
  expect(two.told).toEqual([[LANES, '["u1"]']])
  one.close()
  await heard(two, 'u1', 'a-1', '1', 'x', 'a-1', '2', 'y')
  expect(two.told).toHaveLength(2)
})

test('of those that wait one has it, and when that one dies the next', async () => {
  const [one, two, three] = [page(), page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  await three.claim('u1')
  one.close()
  await heard(two, 'u1', 'a-1', '1', 'x')
  expect(three.told).toEqual([[LANES, '["u1"]']])
  two.close()
  await heard(three, 'u1', 'a-1', '1', 'x')
})

test('a lane that is let go is taken over by whoever waits', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  await one.release('a-1')
  await heard(two, 'u1', 'a-1', '1', 'x')
})

test('of a lane that nothing is left of, nothing is told, and it is not held', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  await one.keep(2, keep(['a-1', 1]))
  await one.release('a-1')
  await vi.waitFor(() => expect(locks.waiting).toBe(0))
  await vi.waitFor(async () => {
    await one.keep(3, keep(['a-1', 3, 'z']))
    expect(one.told.at(-1)).toEqual([KEPT, '', 3])
  })
  expect(two.told).toEqual([[LANES, '["u1"]']])
})

test('waiting ends with what there is to wait for, with another user, and with the page', async () => {
  const [one, two] = [page(), page()]
  const look = async (user: string) => {
    await two.claim(user)
    return locks.waiting
  }
  await one.keep(1, keep(['a-1', 1, 'x']))
  expect([await look('u1'), await look('u1')], 'once').toEqual([1, 1])
  await one.keep(2, keep(['a-1', 1]))
  expect(await look('u1'), 'answered by its page').toBe(0)
  await one.keep(3, keep(['a-1', 2, 'y']))
  expect([await look('u1'), await look('u2')], 'another user').toEqual([1, 0])
  expect(await look('u1')).toBe(1)
  two.close()
  expect(locks.waiting).toBe(0)
  one.close()
  const three = page()
  await three.claim('u1')
  await heard(three, 'u1', 'a-1', '2', 'y')
  expect(two.told.every(([, words]) => !String(words).includes('a-1'))).toBe(true)
})

test('a page waits for a bounded number of lanes', async () => {
  const one = page()
  const rows = Array.from({ length: 40 }, (_, at) => [`a-${at}`, 1, 'x'])
  await one.keep(1, keep(...rows))
  const two = page()
  await two.claim('u1')
  expect(locks.waiting).toBe(32)
  one.close()
  await vi.waitFor(async () => {
    await two.claim('u1')
    const came = two.told.flatMap(([, words]) => (JSON.parse(String(words)) as string[]).filter((word) => word.startsWith('a-')))
    expect([...came].sort()).toEqual(rows.map(([lane]) => lane).sort())
  })
})

test('a move is one transaction', async () => {
  const one = page()
  await one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y']))
  await one.keep(2, keep(['a-2', 1, 'y'], ['a-1', 2]))
  one.close()
  const two = page()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told.flatMap(([, words]) => JSON.parse(String(words)) as string[]).filter((word) => word !== 'u1')).toEqual(['a-1', '1', 'x', 'a-2', '1', 'y'])
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
  await two.claim('u1')
  await heard(two, 'u1', 'a-1', '1', 'x')
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
