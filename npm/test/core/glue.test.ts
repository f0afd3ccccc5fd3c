import { readFile } from 'node:fs/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { __wbg_reset_state, Core, initSync } from '../../src/glue.js'
import { CONNECT, CONNECTION, TICKET, TICKETED, USER } from '../../src/words.js'

const module = await WebAssembly.compile(await readFile(new URL('../../dist/core.wasm', import.meta.url)))

/** A core of a user, and what it asks of the world. */
function make(user: string) {
  const turn = vi.fn(() => core.run(0, 0))
  const say = vi.fn()
  const core = new Core({ turn, url: () => 'ws://localhost:1/v1/ws', opened: () => {}, say }, 1, 'i', 'c', 1_000, 30_000, 0, 25_000, 64, 50, false, false, true)
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

test('the core hears of a socket that the browser refuses', () => {
  const asked: string[] = []
  vi.stubGlobal('WebSocket', class {
    constructor(url: string) {
      asked.push(url)
      throw new DOMException('refused', 'SecurityError')
    }
  })
  const { core, say, connection } = make('u1')
  core.tell(CONNECT, 0, 0, '')
  const attempt: unknown = say.mock.calls.find(([what]) => what === TICKET)?.[1]
  core.tell(TICKETED, Number(attempt), 0, 'T')
  expect(asked).toEqual(['ws://localhost:1/v1/ws'])
  expect(connection()).toMatchObject({ status: 'waiting', error: { message: expect.stringContaining('no socket to this `url`') } })
})

test('a timer wakes its core, but nobody once the instance is another', () => {
  const timers = vi.spyOn(globalThis, 'setTimeout').mockReturnValue(0 as never)
  const { core, turn } = make('u1')
  core.tell(CONNECT, 0, 0, '')
  const armed = timers.mock.calls.at(-1)?.[0]
  const turns = turn.mock.calls.length
  armed?.()
  expect(turn).toHaveBeenCalledTimes(turns + 1)
  const again = timers.mock.calls.at(-1)?.[0]
  expect(again).not.toBe(armed)
  __wbg_reset_state()
  again?.()
  expect(turn).toHaveBeenCalledTimes(turns + 1)
})
