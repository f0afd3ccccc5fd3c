import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import * as words from '../../src/words.js'

const RUST = fileURLToPath(new URL('../../../crates/client-wasm/src/words.rs', import.meta.url))

test('both sides of the border mean the same by each number', () => {
  const theirs = [...readFileSync(RUST, 'utf8').matchAll(/pub const (\w+): u8 = (\d+);/g)]
  expect(theirs.length).toBeGreaterThan(30)
  expect(Object.fromEntries(theirs.map(([, name, number]) => [name, Number(number)]))).toEqual({ ...words })
})
