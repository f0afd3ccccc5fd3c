/**
 * The tarball as an app gets it: packed, installed into a fresh Vite project, built, and opened in a real browser.
 */

import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const npm = fileURLToPath(new URL('../../', import.meta.url))
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:"

let project: string
let browser: Browser
let server: Server
let origin: string
let policy: string

beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), 'tidings-pack-')))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: npm })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }]
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  await run('npm', ['install', '--no-audit', '--no-fund', '--omit=peer', join(project, packed.filename)], { cwd: project })
  // Vite itself is not what is tested: the one that vitest brings will do.
  await mkdir(join(project, 'node_modules/.bin'), { recursive: true })
  await symlink(join(npm, 'node_modules/vite'), join(project, 'node_modules/vite'))

  await writeFile(join(project, 'index.html'), '<!doctype html><title>app</title><script type="module" src="/main.js"></script>')
  await writeFile(
    join(project, 'main.js'),
    `import { createTidings } from 'tidings'
     const states = (window.states = [])
     const client = (window.client = createTidings({ url: 'http://127.0.0.1:1', ticket: async () => 'T', user: 'u1' }))
     window.before = [client.connection.get().status, client.inbox.get() === client.inbox.initial]
     client.connection.subscribe(({ status, error }) => states.push([status, error && error.code, error && error.message]))`,
  )
  await run('node', [join(npm, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'], { cwd: project })

  const dist = join(project, 'dist')
  server = createServer(async (request, response) => {
    const path = join(dist, normalize(request.url === '/' ? '/index.html' : (request.url ?? '/')))
    if (!(await stat(path).catch(() => undefined))?.isFile()) {
      response.writeHead(404).end()
      return
    }
    const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'text/plain', 'content-security-policy': policy })
    createReadStream(path).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
})

afterAll(async () => {
  await browser?.close()
  server?.closeAllConnections()
  server?.close()
  if (project !== undefined) await rm(project, { recursive: true, force: true })
})

type Seen = [status: string, code: string | null, message: string | null]

/** Opens the app under a policy, waits for a state, and gives back all states until then. */
async function open(under: string, until: string): Promise<{ before: unknown; states: Seen[] }> {
  policy = under
  const page = await browser.newPage()
  try {
    await page.goto(origin)
    await page.waitForFunction((status) => (window as never as { states: Seen[] }).states.some(([seen]) => seen === status), until)
    return await page.evaluate(() => {
      const { before, states } = window as never as { before: unknown; states: Seen[] }
      return { before, states }
    })
  } finally {
    await page.close()
  }
}

test('holds what its exports name, and no sources', async () => {
  const installed = join(project, 'node_modules/tidings')
  expect((await readdir(installed)).sort()).toEqual(expect.arrayContaining(['README.md', 'dist', 'package.json']))
  const { default: manifest } = (await import(join(installed, 'package.json'), { with: { type: 'json' } })) as { default: { exports: Record<string, string | Record<string, string>> } }
  const files = Object.values(manifest.exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
  for (const file of files) expect((await stat(join(installed, file))).isFile(), file).toBe(true)
  await expect(stat(join(installed, 'src'))).rejects.toThrow()
})

test('imports in plain Node without doing anything', async () => {
  const script = `
    const { createTidings } = await import('tidings')
    const { createTidingsServer } = await import('tidings/server')
    const client = createTidings({ url: 'http://127.0.0.1:1', ticket: async () => { throw new Error('asked') }, user: 'u1' })
    client.inbox.subscribe(() => {})
    createTidingsServer({ url: 'http://127.0.0.1:1', apiKey: 'k' })
    console.log(JSON.stringify(client.connection.get().status))`
  const { stdout } = await run('node', ['--input-type=module', '-e', script], { cwd: project })
  expect(stdout.trim()).toBe('"idle"')
})

test('works in a browser: against nobody it says so, and goes on trying', async () => {
  const { before, states } = await open(POLICY, 'waiting')
  expect(before).toEqual(['idle', true])
  const told = states.map(([status]) => status)
  expect(told.filter((status, place) => status !== told[place - 1]).slice(0, 2)).toEqual(['connecting', 'waiting'])
  expect(states.find(([status]) => status === 'waiting')?.[1]).toBe('network')
})

test('a policy without wasm-unsafe-eval is named', async () => {
  const { states } = await open(POLICY.replace(" 'wasm-unsafe-eval'", ''), 'failed')
  expect(states.at(-1)).toEqual(['failed', 'wasm_unavailable', expect.stringContaining("'wasm-unsafe-eval'")])
})
