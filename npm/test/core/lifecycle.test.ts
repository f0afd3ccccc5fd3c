// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lifecycle } from '../../src/lifecycle.js'
import { HIDDEN, OFFLINE, ONLINE, WOKE } from '../../src/generated/ops.js'

let control: AbortController
let told: number[]

beforeEach(() => {
  control = new AbortController()
  told = []
  lifecycle((op) => void told.push(op), control.signal)
})
afterEach(() => control.abort())

const happens = (target: EventTarget, ...names: string[]) => names.forEach((name) => target.dispatchEvent(new Event(name)))

test('pages that come back wake the client', () => {
  happens(window, 'pageshow', 'focus')
  happens(document, 'resume', 'visibilitychange')
  expect(told).toEqual([WOKE, WOKE, WOKE, WOKE])
})

test('pages that leave are hidden', () => {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  happens(window, 'pagehide')
  happens(document, 'freeze', 'visibilitychange')
  expect(told).toEqual([HIDDEN, HIDDEN, HIDDEN])
})

test('the network is what the browser says', () => {
  happens(window, 'offline', 'online', 'click')
  expect(told).toEqual([OFFLINE, ONLINE])
})

test('nothing is heard any more once it is over', () => {
  control.abort()
  happens(window, 'focus', 'online')
  happens(document, 'visibilitychange')
  expect(told).toEqual([])
})

test('where there is no page there is nothing to hear', () => {
  vi.stubGlobal('document', undefined)
  vi.stubGlobal('addEventListener', undefined)
  expect(() => lifecycle(() => {}, control.signal)).not.toThrow()
})
