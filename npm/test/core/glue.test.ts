import { readFile } from 'node:fs/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { __wbg_reset_state, Core, initSync } from '../../src/glue.js'
import {
  CLOSE,
  CONNECT,
  CREDENTIAL,
  FETCH_CREDENTIAL,
  OPEN_TRANSPORT,
  READ_CONNECTION,
  SET_TIMER,
  SET_USER,
  TICKET,
  TRANSPORT_CLOSED,
} from '../../src/generated/ops.js'

const module = await WebAssembly.compile(await readFile(new URL('../../dist/core.wasm', import.meta.url)))

/** A core of a user, and its calls to the host. */
function make(user: string) {
  const turn = vi.fn(() => core.run(0, 0))
  const say = vi.fn()
  const core = new Core({ turn, say }, true, 'i', 'c', 1, 1_000, 30_000, 0, 25_000, 50, false, false, 1, undefined, undefined)
  core.tell(SET_USER, false, user)
  return { core, turn, say, connection: () => JSON.parse(core.read(0, 0, READ_CONNECTION)) as { status: string; user: string; error: { message: string } } }
}

beforeEach(() => initSync({ module }))

test.each([
  ['nothing but ASCII', 'u1'],
  ['two, three and four bytes a character', 'ü€😀'],
  ['a byte order mark', '\uFEFFu1'],
  ['more than the memory holds', 'u€'.repeat(2 ** 21)],
])('texts cross both ways unharmed: %s', (_, text) => {
  const { connection } = make(text)
  expect(connection().user === text).toBe(true)
})

test('half a character crosses as one that stands for it', () => {
  const { connection } = make('u\uD800')
  expect(connection().user).toBe('u\uFFFD')
})

test('a core says when it wants a turn, and that it wants none once it is closed', () => {
  const { core, say } = make('u1')
  core.tell(CONNECT)
  const wanted = () => say.mock.calls.findLast(([what]) => what === SET_TIMER)?.[1] as number
  expect(wanted()).toBeGreaterThan(0)
  core.tell(CLOSE)
  core.run(0, 0)
  expect(wanted()).toBe(0)
})

test('a core that is freed speaks to nobody, and one of an instance that is gone is gone with it', () => {
  const { core, turn } = make('u1')
  const other = make('u2')
  core.free()
  core.free()
  other.core.tell(CONNECT)
  expect(other.say).toHaveBeenCalledWith(FETCH_CREDENTIAL, expect.any(Number), 'u2')
  const turns = turn.mock.calls.length
  __wbg_reset_state()
  other.core.free()
  expect(make('u3').connection().user).toBe('u3')
  expect(turn).toHaveBeenCalledTimes(turns)
})

test('sockets are asked for by number, and what is told of another is not heard', () => {
  const { core, say, connection } = make('u1')
  core.tell(CONNECT)
  const attempt: unknown = say.mock.calls.find(([what]) => what === FETCH_CREDENTIAL)?.[1]
  core.tell(CREDENTIAL, Number(attempt), TICKET, 'T')
  const [, transport] = say.mock.calls.find(([what]) => what === OPEN_TRANSPORT) as [number, number]
  core.tell(TRANSPORT_CLOSED, transport + 1, 1006, '')
  expect(connection().status).toBe('connecting')
  core.tell(TRANSPORT_CLOSED, transport, 1006, 'no socket to this `url`')
  expect(connection()).toMatchObject({ status: 'waiting', error: { message: expect.stringContaining('no socket to this `url`') } })
})
