import { expect, test } from 'vitest'
import { unsayable } from '../../src/payload.js'

const ring: { self?: unknown } = {}
ring.self = ring
const nested = (levels: number) => {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) value = { in: value }
  return value
}
class Money {
  cents = 1
}

test.each<[unknown, string]>([
  [undefined, 'data` is undefined'],
  [Number.NaN, 'data` is NaN'],
  [{ a: [1, Number.NEGATIVE_INFINITY] }, 'data.a[1]` is -Infinity'],
  [{ a: undefined }, 'data.a` is undefined'],
  [[1, , 2], 'data[1]` is undefined'], // oxlint-disable-line no-sparse-arrays -- tests a hole
  [() => {}, 'data` is a function'],
  [{ a: Symbol('s') }, 'data.a` is a symbol'],
  [{ n: 10n }, 'data.n` is a bigint'],
  [{ who: new Map([['a', 1]]) }, 'data.who` is a Map'],
  [new Set(), 'data` is a Set'],
  [[/x/], 'data[0]` is a RegExp'],
  [new Error('e'), 'data` is a Error'],
  [new Uint8Array(2), 'data` is a Uint8Array'],
  [Promise.resolve(), 'data` is a Promise'],
  [{ text: '😀'.slice(0, 1) }, 'data.text` has half of a surrogate pair'],
  [{ ['😀'.slice(1)]: 1 }, 'has half of a surrogate pair'],
  [ring, 'nested deeper than 28, or holds itself'],
  [nested(29), 'nested deeper than 28'],
  [{ toJSON: () => Number.NaN }, 'data` is NaN'],
])('%o is not what others would get', (value, why) => expect(unsayable(value)).toContain(why))

test.each([null, true, 0, -1.5, '', 'Grüße 👋', '\u0000', [], {}, { a: [{ b: null }] }, new Date(0), new Money(), Object.create(null), nested(28)])('%o is', (value) =>
  expect(unsayable(value)).toBeUndefined(),
)
