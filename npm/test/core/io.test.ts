import { afterEach, expect, test, vi } from 'vitest'
import { host, type HostNeeds } from '../../src/host.js'
import { PERSIST_OUTBOX, REQUEST, RESPONSE_ENDED, STORAGE_FAILED } from '../../src/generated/ops.js'

const WORLD = '../../src/lazy/io.js'

/** Only a broken run reaches this limit. */
const PATIENCE = { timeout: 20_000 }

afterEach(() => vi.doUnmock(WORLD))

test('what the file that makes requests does not come for ends, and the next one asks for the file again', async () => {
  const tell = vi.fn()
  const ask = vi.fn()
  let there = false
  vi.doMock(WORLD, () => {
    if (!there) throw new Error('not loaded')
    return { io: () => ask }
  })
  const needs = { storage: {}, tickets: {}, url: () => '', receive: () => {} } as unknown as HostNeeds
  const { say } = host(needs, { tell, turn() {}, more() {} }, new AbortController().signal)

  say(REQUEST, 1, '{}')
  await vi.waitFor(() => expect(tell).toHaveBeenCalledTimes(1), PATIENCE)
  expect(tell).toHaveBeenCalledWith(RESPONSE_ENDED, 1, expect.stringContaining(''))
  expect(tell.mock.calls[0]?.[2], 'a reason').not.toBe('')
  say(PERSIST_OUTBOX, 7, '{}')
  await vi.waitFor(() => expect(tell).toHaveBeenCalledTimes(2), PATIENCE)
  expect(tell.mock.calls[1]?.[0]).toBe(STORAGE_FAILED)

  there = true
  say(REQUEST, 2, '{}')
  await vi.waitFor(() => expect(ask).toHaveBeenCalledExactlyOnceWith(REQUEST, 2, '{}'), PATIENCE)
  expect(tell).toHaveBeenCalledTimes(2)
})
