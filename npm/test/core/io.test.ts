import { afterEach, expect, test, vi } from 'vitest'
import { host, type HostNeeds } from '../../src/host.js'
import { ABORT_REQUEST, PERSIST_OUTBOX, RELEASE_LANE, REQUEST, RESPONSE_ENDED, STORAGE_FAILED } from '../../src/generated/ops.js'
import { io } from '../../src/lazy/io.js'
import type { Storage } from '../../src/storage.js'

const WORLD = '../../src/lazy/io.js'

/** Only a broken run reaches this limit. */
const PATIENCE = { timeout: 20_000 }

afterEach(() => vi.doUnmock(WORLD))

test('the file that makes requests is loaded for the first of them, again where that failed, and in order', async () => {
  const tell = vi.fn()
  const make = vi.fn()
  const abort = vi.fn()
  const requests = vi.fn<() => Promise<unknown>>()
  requests.mockRejectedValueOnce(new Error('not loaded')).mockResolvedValue({ requests: () => ({ make, abort }) })
  const ask = io({ storage: {} as Storage, chunk: () => requests as never, url: () => '', unsaved() {} }, tell, new AbortController().signal)
  const facts = { path: 'sse', bearer: null, body: '{}' }

  ask(RELEASE_LANE, 0, 'a')
  expect(requests).not.toHaveBeenCalled()

  ask(REQUEST, 1, JSON.stringify(facts))
  ask(ABORT_REQUEST, 1, '')
  await vi.waitFor(() => expect(tell).toHaveBeenCalledExactlyOnceWith(RESPONSE_ENDED, 1, 'not loaded'), PATIENCE)
  expect(make).not.toHaveBeenCalled()

  ask(REQUEST, 2, JSON.stringify(facts))
  ask(ABORT_REQUEST, 2, '')
  ask(REQUEST, 3, JSON.stringify(facts))
  await vi.waitFor(() => expect(make.mock.calls).toEqual([[2, facts], [3, facts]]), PATIENCE)
  expect(abort).toHaveBeenCalledExactlyOnceWith(2)
  expect(abort.mock.invocationCallOrder[0]).toBeLessThan(make.mock.invocationCallOrder[1] as number)
  expect(requests).toHaveBeenCalledTimes(2)
})

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
