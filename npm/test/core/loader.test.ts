import { createServer, type Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Bundled } from '../../src/loader.js'
import type { WasmSource } from '../../src/types.js'

const core = new Uint8Array(await readFile(new URL('../../dist/core.wasm', import.meta.url)))
const none: Bundled = {
  async core() {
    throw new Error('not wanted')
  },
}
let http: Server
let base: string

beforeAll(async () => {
  http = createServer((request, response) => {
    if (request.url === '/core.wasm') response.writeHead(200, { 'content-type': 'application/wasm' }).end(core)
    else if (request.url === '/plain') response.writeHead(200, { 'content-type': 'text/plain' }).end(core)
    else if (request.url === '/page') response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')
    else if (request.url === '/busy') response.writeHead(503).end()
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})
afterAll(() => http.close())

beforeEach(() => {
  vi.resetModules()
  vi.stubGlobal('WebSocket', class {})
})

async function load(source: WasmSource | undefined, bundled = none) {
  return (await import('../../src/loader.js')).load(source, bundled)
}

test('takes an address, a URL, a response, bytes, a part of bytes, or a module', async () => {
  const padded = new Uint8Array(core.length + 2)
  padded.set(core, 1)
  const sources: (() => WasmSource | Promise<WasmSource>)[] = [
    () => `${base}/core.wasm`,
    () => new URL(`${base}/core.wasm`),
    () => fetch(`${base}/core.wasm`),
    () => core.buffer,
    () => padded.subarray(1, core.length + 1),
    () => WebAssembly.compile(core),
  ]
  for (const source of sources) {
    vi.resetModules()
    expect((await load(await source())).Core).toBeTypeOf('function')
  }
})

test('does not mind the type a server states', async () => {
  expect((await load(`${base}/plain`)).Core).toBeTypeOf('function')
})

test('loads once, whoever asks', async () => {
  const compile = vi.spyOn(WebAssembly, 'compile')
  const bundled = { core: vi.fn(async () => core) }
  const { load } = await import('../../src/loader.js')
  const [one, two] = await Promise.all([load(undefined, bundled), load(undefined, bundled)])
  expect(one).toBe(two)
  expect(await load(undefined, none)).toBe(one)
  expect(bundled.core).toHaveBeenCalledTimes(1)
  expect(compile).toHaveBeenCalledTimes(1)
})

test.each([
  ['a missing file', () => `${base}/nowhere`, /nowhere answered 404/],
  ['a page in its place', () => `${base}/page`, /not WebAssembly but text\/html/],
  ['broken bytes', () => new Uint8Array([0, 0x61, 0x73, 0x6d, 9, 9, 9, 9]), /compile|version|magic/i],
])('%s is named', async (_, source, message) => {
  await expect(load(source())).rejects.toMatchObject({ code: 'wasm_unavailable', fault: 'browser', retry: false, message: expect.stringMatching(message) })
})

test.each([
  ['a server that is not there', () => 'http://127.0.0.1:1/core.wasm', /fetch/],
  ['a server that is busy', () => `${base}/busy`, /busy answered 503/],
])('%s may be there the next time', async (_, source, message) => {
  await expect(load(source())).rejects.toMatchObject({ code: 'wasm_unavailable', retry: true, message: expect.stringMatching(message) })
})

test.each([
  "WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because neither 'wasm-unsafe-eval' nor 'unsafe-eval' is an allowed source of script",
  'call to WebAssembly.compile() blocked by CSP',
  "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script",
])('a policy that forbids it is named: %s', async (words) => {
  vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError(words))
  await expect(load(core)).rejects.toMatchObject({ code: 'wasm_unavailable', message: expect.stringContaining("'wasm-unsafe-eval'") })
})

test('an old browser is named', async () => {
  vi.stubGlobal('WebAssembly', undefined)
  await expect(load(undefined)).rejects.toMatchObject({ message: expect.stringContaining('too old') })
})

test('after a failure the next one tries again', async () => {
  const { load } = await import('../../src/loader.js')
  await expect(load(`${base}/nowhere`, none)).rejects.toThrow()
  expect((await load(`${base}/core.wasm`, none)).Core).toBeTypeOf('function')
})

test('tidings/wasm inlines nothing: it wants init, or the option', async () => {
  const { createTidings, init } = await import('tidings/wasm')
  const client = createTidings({ url: 'http://localhost', ticket: async () => 'T' })
  const failed = new Promise((resolve) => client.connection.subscribe(({ status, error }) => status === 'failed' && resolve(error)))
  client.connect()
  expect(await failed).toMatchObject({ code: 'wasm_unavailable', message: expect.stringContaining('init') })
  await expect(init({ wasm: core })).resolves.toBeUndefined()
})
