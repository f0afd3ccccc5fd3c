import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lanes } from '../../src/lazy/lanes.js'
import { claim } from '../../src/lazy/arrivals.js'
import { storage } from '../../src/storage.js'
import {
  CLAIM_LANES,
  LANES_CLAIMED,
  LANES_FAILED,
  OUTBOX_PERSISTED,
  PERSIST_OUTBOX,
  RELEASE_LANE,
  SIGNED_OUT_ELSEWHERE,
  WIPE,
  type LaneRows,
} from '../../src/generated/ops.js'
import { Journal, Locks } from './locks.js'

let locks: Locks
let window: EventTarget

beforeEach(() => {
  locks = new Locks()
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('navigator', { locks })
  vi.stubGlobal('localStorage', new Journal().shown())
  window = new EventTarget()
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
})
afterEach(() => vi.unstubAllGlobals())

/** A page's lanes, and their calls to the core. */
function page() {
  const told: unknown[][] = []
  const saved = storage(() => 'wss://rt.example/v1/ws')
  const life = new AbortController()
  const ask = lanes(saved, () => {}, (...op) => void told.push(op), life.signal)
  return {
    told,
    saved,
    keep: (number: number, text: string) => ask(PERSIST_OUTBOX, number, text),
    claim: (user: string) => ask(CLAIM_LANES, 0, user),
    release: (lane: string) => ask(RELEASE_LANE, 0, lane),
    wipe: (user: string, all: boolean) => ask(WIPE, Number(all), user),
    close: () => life.abort(),
  }
}

const keep = (...changes: unknown[]) => JSON.stringify({ user: 'u1', changes })

/** Waits until a page has reported these lanes. */
const received = ({ told }: { told: unknown[][] }, user: string, ...rows: LaneRows) => vi.waitFor(() => expect(told).toContainEqual([LANES_CLAIMED, user, JSON.stringify(rows)]), 10_000)

/** All rows that a page has reported. */
const rowsOf = ({ told }: { told: unknown[][] }) => told.flatMap(([, , rows]) => JSON.parse(String(rows)) as LaneRows)

test('rows of a page that lives are its own; of one that is dead, whoever claims them first', async () => {
  const [one, two, three] = [page(), page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y\nz'], ['a-1', 10, 'w']))
  expect(one.told).toEqual([[OUTBOX_PERSISTED, 1]])
  await one.keep(2, keep(['a-1', 1]))
  await two.claim('u1')
  expect(two.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
  one.close()
  await received(two, 'u1', ['a-1', '2', 'y\nz'], ['a-1', '10', 'w'])
  await three.claim('u1')
  await three.claim('u2')
  await two.claim('u1')
  expect([...three.told, two.told.at(-1)]).toEqual([[LANES_CLAIMED, 'u1', '[]'], [LANES_CLAIMED, 'u2', '[]'], [LANES_CLAIMED, 'u1', '[]']])
})

test('a lane comes unasked the moment its page is dead, however long it takes to die', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  // A row that the page writes after the claim counts too.
  await one.keep(2, keep(['a-1', 2, 'y']))
  expect(two.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
  one.close()
  await received(two, 'u1', ['a-1', '1', 'x'], ['a-1', '2', 'y'])
  expect(two.told).toHaveLength(2)
})

test('of those that wait one has it, and when that one dies the next', async () => {
  const [one, two, three] = [page(), page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  await three.claim('u1')
  one.close()
  await received(two, 'u1', ['a-1', '1', 'x'])
  expect(three.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
  two.close()
  await received(three, 'u1', ['a-1', '1', 'x'])
})

test('a lane that is let go is taken over by whoever waits', async () => {
  const [one, two] = [page(), page()]
  await one.keep(1, keep(['a-1', 1, 'x']))
  await two.claim('u1')
  await one.release('a-1')
  await received(two, 'u1', ['a-1', '1', 'x'])
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
    expect(one.told.at(-1)).toEqual([OUTBOX_PERSISTED, 3])
  })
  expect(two.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
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
  await received(three, 'u1', ['a-1', '2', 'y'])
  expect(rowsOf(two).some(([lane]) => lane === 'a-1')).toBe(false)
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
    const came = rowsOf(two).map(([lane]) => lane)
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
    expect(rowsOf(two)).toEqual([['a-1', '1', 'x'], ['a-2', '1', 'y']])
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
  await received(two, 'u1', ['a-1', '1', 'x'])
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
  expect(two.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
})

/** The rows in the journal, by the ends of their keys. */
const written = () => Object.keys(localStorage).map((key) => key.split('\t').slice(-2).join(' '))

test('a row is written down before anything waits, and no longer than the database lacks it', async () => {
  const one = page()
  const kept = one.keep(1, keep(['a-1', 1, 'x'], ['a-1', 2, 'y']))
  expect(written()).toEqual(['a-1 0000000000000001', 'a-1 0000000000000002'])
  const dropped = one.keep(2, keep(['a-1', 2]))
  expect(written()).toEqual(['a-1 0000000000000001'])
  await Promise.all([kept, dropped])
  expect(written()).toEqual([])
  one.close()
  const two = page()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told).toContainEqual([LANES_CLAIMED, 'u1', '[["a-1","1","x"]]'])
  })
})

test('what the database has not got yet when a page dies is the next one’s, once, by its newest word', async () => {
  const one = page()
  await one.keep(1, keep(['a-1', 1, 'old'], ['a-1', 2, 'y']))
  Object.assign(one.saved, { transact: () => new Promise(() => {}) })
  void one.keep(2, keep(['a-1', 1, 'new'], ['a-1', 10, 'z']))
  await vi.waitFor(() => expect(written()).toHaveLength(2))
  one.close()
  const two = page()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told).toContainEqual([LANES_CLAIMED, 'u1', '[["a-1","1","new"],["a-1","2","y"],["a-1","10","z"]]'])
  })
  await two.keep(1, keep(['a-1', 1], ['a-1', 2], ['a-1', 10]))
  expect(written()).toEqual([])
})

test('what a page wrote down while it loaded is left to it while it lives, and to the next when it is dead', async () => {
  const one = page()
  const forget = [one.saved.note('u1', 'p', 'x'), one.saved.note('u1', 'p', 'y')]
  const two = page()
  await two.claim('u2')
  await two.claim('u1')
  expect(two.told).toEqual([[LANES_CLAIMED, 'u2', '[]'], [LANES_CLAIMED, 'u1', '[]']])
  forget[0]?.()
  locks.kill('tidings:p')
  await received(two, 'u1', ['p', '2', 'y'])
})

test('what was taken over in time leaves nothing, and its lock goes', async () => {
  const one = page()
  const forget = [one.saved.note('u1', 'p', 'x'), one.saved.note('u1', 'p', 'y')]
  await vi.waitFor(() => expect(locks.holds('tidings:p')).toBe(true))
  for (const one of forget) one()
  expect(written()).toEqual([])
  await vi.waitFor(() => expect(locks.holds('tidings:p')).toBe(false))
})

test('a browser that lets nothing be written at once keeps rows as before', async () => {
  vi.stubGlobal('localStorage', undefined)
  const one = page()
  one.saved.note('u1', 'p', 'x')()
  await one.keep(1, keep(['a-1', 1, 'x']))
  expect(one.told).toEqual([[OUTBOX_PERSISTED, 1]])
  one.close()
  const two = page()
  await vi.waitFor(async () => {
    await two.claim('u1')
    expect(two.told).toContainEqual([LANES_CLAIMED, 'u1', '[["a-1","1","x"]]'])
  })
})

test('a user who is signed out leaves nothing that was written at once, and others theirs', async () => {
  const one = page()
  one.saved.note('u1', 'p', 'x')
  one.saved.note('u12', 'p', 'y')
  await one.saved.wipe('u1')
  expect(Object.values(localStorage)).toEqual(['y'])
})

describe('a user whom another page signs out', () => {
  const cache = { user: 'u1', cursors: [['e', 1], ['e', 1]] as const, over: [], text: 'secret' }

  test('is not written again by a page that loaded before, which hears of it', async () => {
    const [one, two] = [page(), page()]
    await two.saved.load('u1')
    await one.saved.wipe('u1', true)
    const over = vi.fn()
    for (const user of ['u1', 'u1\troom:1']) await two.saved.save({ ...cache, user }, over)
    expect(over.mock.calls).toEqual([['u1'], ['u1']])
    await two.keep(1, keep(['b-1', 1, 'secret']))
    expect(two.told).toContainEqual([SIGNED_OUT_ELSEWHERE, 'u1'])
    const three = page()
    expect(await three.saved.load('u1')).toBeUndefined()
    await three.claim('u1')
    expect(three.told).toEqual([[LANES_CLAIMED, 'u1', '[]']])
  })

  test('is written by a page that loaded after, and when the user came back in the same', async () => {
    const [one, two] = [page(), page()]
    await one.saved.load('u1')
    await one.saved.wipe('u1', true)
    for (const { saved } of [one, two]) {
      await saved.load('u1')
      const over = vi.fn()
      await saved.save(cache, over)
      expect(over).not.toHaveBeenCalled()
      expect(await saved.load('u1')).toBe('secret')
    }
  })

  test('is told at once to pages that know the user, and not to the one that did it', async () => {
    const browser = new Journal()
    vi.stubGlobal('localStorage', browser.shown())
    const [one, two] = [page(), page()]
    await two.saved.load('u1')
    await two.saved.load('u2')
    await one.saved.wipe('u1', true)
    await one.wipe('u1', true)
    for (const event of browser.events) window.dispatchEvent(event)
    expect(two.told).toEqual([[SIGNED_OUT_ELSEWHERE, 'u1']])
    expect(one.told).toEqual([])
    expect(browser.size, 'the word does not stay').toBe(0)
  })

  test('is nobody’s business where a page merely ended its session', async () => {
    const [one, two] = [page(), page()]
    await two.saved.load('u1')
    await one.saved.wipe('u1')
    const over = vi.fn()
    await two.saved.save(cache, over)
    expect(over).not.toHaveBeenCalled()
  })
})

describe('what arrived', () => {
  test('is claimed once in a browser, in its order, and wiped with its user', async () => {
    const [one, two] = [page(), page()]
    expect(await Promise.all([claim(one.saved.transact, 'u1', 'n1'), claim(two.saved.transact, 'u1', 'n1')])).toEqual([true, false])
    expect(await claim(two.saved.transact, 'u1', 'n2')).toBe(true)
    expect(await claim(two.saved.transact, 'u2', 'n1')).toBe(true)
    await one.saved.wipe('u1')
    expect(await claim(two.saved.transact, 'u1', 'n1')).toBe(true)
    await two.claim('u1')
    expect(two.told, 'it is no row').toEqual([[LANES_CLAIMED, 'u1', '[]']])
  })
})
