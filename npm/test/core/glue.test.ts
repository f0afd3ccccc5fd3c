import { readFile } from 'node:fs/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { __wbg_reset_state, Core, initSync } from '../../src/glue.js'
import { CLOSE, CLOSED, CONNECT, CONNECTION, OPEN, TICKET, TICKETED, TIMER, USER } from '../../src/words.js'

const module = await WebAssembly.compile(await readFile(new URL('../../dist/core.wasm', import.meta.url)))

/** A core of a user, and its calls to the host. */
function make(user: string) {
  const turn = vi.fn(() => core.run(0, 0))
  const say = vi.fn()
  const core = new Core({ turn, say }, 1, 'i', 'c', 1_000, 30_000, 0, 25_000, 64, 50, false, false, true)
  core.tell(USER, 0, 0, user)
  return { core, turn, say, connection: () => JSON.parse(core.read(CONNECTION, 0, '', 0, 0)) as { status: string; user: string; error: { message: string } } }
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
  core.tell(CONNECT, 0, 0, '')
  const wanted = () => say.mock.calls.findLast(([what]) => what === TIMER)?.[1] as number
  expect(wanted()).toBeGreaterThan(0)
  core.tell(CLOSE, 0, 0, '')
  core.run(0, 0)
  expect(wanted()).toBe(0)
})

test('a core that is freed speaks to nobody, and one of an instance that is gone is gone with it', () => {
  const { core, turn } = make('u1')
  const other = make('u2')
  core.free()
  core.free()
  other.core.tell(CONNECT, 0, 0, '')
  expect(other.say).toHaveBeenCalledWith(TICKET, expect.any(Number), 'u2')
  const turns = turn.mock.calls.length
  __wbg_reset_state()
  other.core.free()
  expect(make('u3').connection().user).toBe('u3')
  expect(turn).toHaveBeenCalledTimes(turns)
})

test('sockets are asked for by number, and what is told of another is not heard', () => {
  const { core, say, connection } = make('u1')
  core.tell(CONNECT, 0, 0, '')
  const attempt: unknown = say.mock.calls.find(([what]) => what === TICKET)?.[1]
  core.tell(TICKETED, Number(attempt), 0, 'T')
  const [, transport] = say.mock.calls.find(([what]) => what === OPEN) as [number, number]
  core.tell(CLOSED, transport + 1, 1006, '')
  expect(connection().status).toBe('connecting')
  core.tell(CLOSED, transport, 1006, 'no socket to this `url`')
  expect(connection()).toMatchObject({ status: 'waiting', error: { message: expect.stringContaining('no socket to this `url`') } })
})
