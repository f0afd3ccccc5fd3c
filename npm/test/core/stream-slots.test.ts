// Turns of tabs at holding connections. e2e/tests/tabs.spec.ts tests them in real browsers.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { streamSlots } from '../../src/lazy/stream-slots.js'

/** The Web Locks of one browser: exclusive ones, as far as turns use them. */
function locks() {
  const held = new Map<string, Promise<unknown>>()
  return {
    async request(name: string, { ifAvailable = false, signal }: LockOptions, work: (lock: object | null) => Promise<unknown> | void) {
      if (held.has(name) && ifAvailable) return work(null)
      while (held.has(name)) await Promise.race([held.get(name), new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))))])
      const done = Promise.resolve(work({ name }))
      held.set(name, done)
      await done
      held.delete(name)
      return undefined
    },
  }
}

const HERE = 'http://rt.example/v1/'
const NEVER = new AbortController().signal
let entries: { name: string; nextHopProtocol: string }[]

beforeEach(() => {
  vi.useFakeTimers()
  entries = []
  vi.stubGlobal('navigator', { locks: locks() })
  vi.stubGlobal('performance', { getEntriesByType: () => entries })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const tab = () => streamSlots(NEVER)
const SSE = 'sse?heartbeat=25000'
const POLL = 'poll?wait=25000&channel=room%3A1'

test('two streams are held, a third is one too many, and a poll is one of a moment', async () => {
  const [one, two, three] = [tab(), tab(), tab()]
  const first = await one(HERE, SSE, NEVER)
  expect(first?.path).toBe(SSE)
  expect(await two(HERE, SSE, NEVER)).toBeDefined()
  expect(await three(HERE, SSE, NEVER)).toBeUndefined()
  const poll = three(HERE, POLL, NEVER)
  const settled = vi.fn()
  void poll.then(settled)
  await vi.advanceTimersByTimeAsync(3_999)
  expect(settled).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect((await poll)?.path).toBe('poll?wait=250&channel=room%3A1')
})

test('short polls are made one at a time', async () => {
  const tabs = [tab(), tab(), tab(), tab()]
  for (const held of tabs.splice(0, 2)) await held(HERE, SSE, NEVER)
  const asked = tabs.map((ask) => ask(HERE, POLL, NEVER))
  await vi.advanceTimersByTimeAsync(4_000)
  const first = await asked[0]
  const second = vi.fn()
  void asked[1]?.then(second)
  await vi.advanceTimersByTimeAsync(100)
  expect(second).not.toHaveBeenCalled()
  first?.end()
  await vi.advanceTimersByTimeAsync(100)
  expect(second).toHaveBeenCalled()
})

test('a turn is kept for the same tab for a moment, then it is the next one’s', async () => {
  const [one, two, three] = [tab(), tab(), tab()]
  const first = await one(HERE, SSE, NEVER)
  await two(HERE, SSE, NEVER)
  first?.end()
  expect(await three(HERE, SSE, NEVER)).toBeUndefined()
  const again = await one(HERE, SSE, NEVER)
  expect(again, 'opened again for another channel').toBeDefined()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await three(HERE, SSE, NEVER), 'still held').toBeUndefined()
  again?.end()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await three(HERE, SSE, NEVER)).toBeDefined()
})

test('a poll goes on waiting where a turn is free, and opening one holds nothing', async () => {
  const [one, two, three] = [tab(), tab(), tab()]
  expect((await one(HERE, POLL, NEVER))?.path).toBe(POLL)
  expect((await two(HERE, POLL, NEVER))?.path).toBe(POLL)
  expect((await three(HERE, 'poll?wait=0', NEVER))?.path).toBe('poll?wait=0')
  expect((await three(HERE, 'sessions/s-1/messages', NEVER))?.path).toBe('sessions/s-1/messages')
})

test.each([
  ['h2', true],
  ['h3', true],
  ['http/1.1', false],
  ['', false],
])('by %j a third stream is fine: %s', async (nextHopProtocol, fine) => {
  const https = 'https://rt.example/v1/'
  entries = [{ name: `${https}poll?wait=0`, nextHopProtocol }]
  for (const held of [tab(), tab()]) await held(https, SSE, NEVER)
  expect((await tab()(https, SSE, NEVER)) !== undefined).toBe(fine)
})

test('tabs that know nothing of each other hold what they need', async () => {
  vi.stubGlobal('navigator', {})
  for (const held of [tab(), tab(), tab()]) expect(await held(HERE, SSE, NEVER)).toBeDefined()
})
