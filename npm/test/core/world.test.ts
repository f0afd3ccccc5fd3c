import { afterEach, expect, test, vi } from 'vitest'
import { host, type HostNeeds } from '../../src/host.js'
import { ENDED, KEEP, REQUEST, STORAGE_FAILED } from '../../src/words.js'

const WORLD = '../../src/later/world.js'

/** Only a broken run reaches this limit. */
const PATIENCE = { timeout: 20_000 }

afterEach(() => vi.doUnmock(WORLD))

test('what the file that makes requests does not come for ends, and the next one asks for the file again', async () => {
  const tell = vi.fn()
  const ask = vi.fn()
  let there = false
  vi.doMock(WORLD, () => {
    if (!there) throw new Error('not loaded')
    return { world: () => ask }
  })
  const needs = { storage: {}, tickets: {}, url: () => '', heard: () => {} } as unknown as HostNeeds
  const { say } = host(needs, { tell, turn() {}, more() {} }, new AbortController().signal)

  say(REQUEST, 1, 'sse\n\n{}')
  await vi.waitFor(() => expect(tell).toHaveBeenCalledTimes(1), PATIENCE)
  expect(tell).toHaveBeenCalledWith(ENDED, expect.stringContaining(''), 1)
  expect(tell.mock.calls[0]?.[1], 'a reason').not.toBe('')
  say(KEEP, 7, '{}')
  await vi.waitFor(() => expect(tell).toHaveBeenCalledTimes(2), PATIENCE)
  expect(tell.mock.calls[1]?.[0]).toBe(STORAGE_FAILED)

  there = true
  say(REQUEST, 2, 'poll\n\n{}')
  await vi.waitFor(() => expect(ask).toHaveBeenCalledExactlyOnceWith(REQUEST - KEEP, 2, 'poll\n\n{}'), PATIENCE)
  expect(tell).toHaveBeenCalledTimes(2)
})
