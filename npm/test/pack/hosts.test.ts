/**
 * Runs the packed package in each host that README.md names, beside pages: it is built for the host
 * and run in it.
 */

import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { build, type BuildOptions, type Plugin } from 'esbuild'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { AWAY, backend, jest, program, viteWorker, workerd, workers } from './hosts.js'
import { Packed, type Project } from './project.js'
import { CHROMIUM, freePort, Visitor } from './site.js'

const execute = promisify(execFile)
/**
 * Hosts and tools that are no dependencies of the package: they are installed for these tests
 * alone.
 */
const tools = fileURLToPath(new URL('./hosts/', import.meta.url))
const tool = (path: string) => join(tools, 'node_modules', path)

let packed: Packed
let visitor: Visitor

beforeAll(async () => {
  if (!existsSync(tool('.package-lock.json'))) await execute('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: tools })
  packed = await Packed.make()
  visitor = await Visitor.arrive()
}, 600_000)
afterAll(async () => {
  await visitor?.leave()
  await packed?.remove()
})

/** Bundles a file of the project into `out` under the same name. */
async function bundled({ folder }: Project, file: string, out: string, options: BuildOptions = {}): Promise<void> {
  await build({ absWorkingDir: folder, entryPoints: [file], outfile: join(folder, out, file), bundle: true, logLevel: 'error', ...options })
}

/** Resolves imports of a compiled module to these contents. */
const compiled = (contents: string): Plugin => ({
  name: 'compiled',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: 'compiled' }))
    onLoad({ filter: /./, namespace: 'compiled' }, () => ({ contents, loader: 'js' }))
    onResolve({ filter: /^\.\/core\.wasm$/ }, () => ({ path: './core.wasm', external: true }))
  },
})

describe('on servers', () => {
  let project: Project
  beforeAll(async () => {
    const main = `import { client, settles } from './client.js'
      const state = await settles()
      client.close()
      console.log(JSON.stringify(state))`
    project = await packed.project('servers', { 'client.js': program('tidings'), 'main.js': main })
  })

  const runs = async (command: string, ...args: string[]) =>
    JSON.parse((await execute(command, [...args, join(project.folder, 'main.js')], { cwd: project.folder })).stdout) as unknown

  test('Node', async () => expect(await runs(process.execPath)).toEqual([...AWAY, false]))

  test('Deno', async () => {
    expect(await runs(tool('.bin/deno'), 'run', '--allow-all', '--no-lock', '--node-modules-dir=manual')).toEqual([...AWAY, false])
  })

  test('Bun', async () => {
    expect(await runs(tool(`@oven/bun-${process.platform}-${process.arch === 'x64' ? 'x64' : 'aarch64'}/bin/bun`))).toEqual([...AWAY, false])
  })
})

describe('on the edge', () => {
  const FETCH = `import { settles } from './client.js'
    export default { fetch: async () => Response.json(await settles()) }`

  test.each(['2024-01-01', '2026-01-01'])('Cloudflare’s workerd, as of %s', async (date) => {
    const project = await packed.project(`workerd-${date}`, { 'client.js': program('tidings'), 'worker.js': FETCH })
    const plugins = [compiled("export { default } from './core.wasm'")]
    await bundled(project, 'worker.js', 'out', { format: 'esm', conditions: ['workerd', 'worker', 'browser'], plugins })
    await copyFile(join(project.folder, 'node_modules/tidings/dist/core.wasm'), join(project.folder, 'out/core.wasm'))
    const port = await freePort()
    await writeFile(join(project.folder, 'out/config.capnp'), workerd(port, date))
    const host = spawn(tool(`@cloudflare/workerd-${process.platform}-${process.arch === 'x64' ? '64' : 'arm64'}/bin/workerd`), ['serve', join(project.folder, 'out/config.capnp')], { stdio: ['ignore', 'inherit', 'inherit'] })
    const ended = new Promise<never>((_, reject) => host.once('exit', (code) => reject(new Error(`workerd ended with ${code}: the worker does not start`))))
    try {
      expect(await Promise.race([answers(`http://127.0.0.1:${port}`), ended])).toEqual([...AWAY, false])
    } finally {
      ended.catch(() => {})
      host.kill('SIGKILL')
    }
  })

  test('Vercel’s edge runtime', async () => {
    const project = await packed.project('edge', { 'client.js': program('tidings'), 'edge.js': FETCH })
    const main = `import worker from './edge.js'
      addEventListener('fetch', (event) => event.respondWith(worker.fetch(event.request)))`
    await writeFile(join(project.folder, 'main.js'), main)
    await bundled(project, 'main.js', 'out', { format: 'iife', conditions: ['edge-light', 'worker', 'browser'], plugins: [compiled('export default CORE')] })
    const run = `import { EdgeRuntime } from ${JSON.stringify(tool('edge-runtime/dist/index.js'))}
      import { readFileSync } from 'node:fs'
      const CORE = new WebAssembly.Module(readFileSync('node_modules/tidings/dist/core.wasm'))
      const runtime = new EdgeRuntime({ initialCode: readFileSync('out/main.js', 'utf8'), extend: (context) => Object.assign(context, { CORE }) })
      console.log(await (await runtime.dispatchFetch('http://edge.localhost/')).text())
      process.exit()`
    const [status, code] = JSON.parse(await project.node('--input-type=module', '-e', run)) as unknown[]
    expect([status, code]).toEqual(AWAY)
  })
})

test('Jest with jsdom', async () => {
  const project = await packed.project('jest', jest)
  const config = { testEnvironment: tool('jest-environment-jsdom'), transform: {}, testMatch: ['**/*.test.js'], rootDir: project.folder }
  await writeFile(join(project.folder, 'jest.config.json'), JSON.stringify(config))
  await mkdir(join(project.folder, 'node_modules/@jest'), { recursive: true })
  await cp(createRequire(tool('jest/package.json')).resolve('@jest/globals/package.json').replace('/package.json', ''), join(project.folder, 'node_modules/@jest/globals'), { recursive: true })
  const { stderr } = await execute(process.execPath, ['--experimental-vm-modules', tool('jest/bin/jest.js'), '--config', 'jest.config.json'], { cwd: project.folder })
  expect(stderr).toMatch(/Tests: +1 passed/)
})

describe('in one script', () => {
  let project: Project
  let out: string
  beforeAll(async () => {
    project = await packed.project('workers', workers, ['vite'])
    out = join(project.folder, 'out')
    for (const file of ['service.js', 'worker.js', 'frame.js', 'page.js']) await bundled(project, file, 'out', { format: 'iife' })
    for (const file of ['index.html', 'frame.html', 'manifest.json']) await copyFile(join(project.folder, file), join(out, file))
  })

  type InPage = { inService(type: string): Promise<unknown>; inWorker(): Promise<unknown>; inFrame(): Promise<unknown> }

  test.each(['classic', 'module'])('a service worker (%s)', async (type) => {
    const { found } = await visitor.open({ folder: out, policy: '' }, (page) => page.evaluate((type) => (window as never as InPage).inService(type), type))
    expect(found).toEqual([...AWAY, true])
  })

  test('a classic worker', async () => {
    const { found } = await visitor.open({ folder: out, policy: '' }, (page) => page.evaluate(() => (window as never as InPage).inWorker()))
    expect(found).toEqual([...AWAY, true])
  })

  test('a sandboxed frame, which may keep nothing', async () => {
    const { found } = await visitor.open({ folder: out, policy: '' }, (page) => page.evaluate(() => (window as never as InPage).inFrame()))
    expect(found).toEqual([...AWAY, false])
  })

  test('an extension’s service worker', async () => {
    const args = ['--no-sandbox', '--disable-gpu', `--disable-extensions-except=${out}`, `--load-extension=${out}`]
    const context = await chromium.launchPersistentContext('', { executablePath: CHROMIUM, channel: 'chromium', headless: true, args })
    try {
      const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
      const state = await worker.evaluate(
        () =>
          new Promise((resolve) => {
            const { port1, port2 } = new MessageChannel()
            port1.onmessage = ({ data }) => resolve(data)
            self.dispatchEvent(new MessageEvent('message', { ports: [port2] }))
          }),
      )
      expect(state).toEqual([...AWAY, true])
    } finally {
      await context.close()
    }
  })

  test('a worker that Vite builds into one', async () => {
    const project = await packed.project('vite-worker', viteWorker, ['vite'])
    await project.vite('build')
    const { found } = await visitor.open({ folder: join(project.folder, 'dist') }, async (page) => {
      await page.waitForFunction(() => 'state' in window)
      return page.evaluate(() => (window as never as { state: unknown }).state)
    })
    expect(found).toEqual([...AWAY, true])
  })
})

describe('a backend in TypeScript, without the library of browsers', () => {
  const config = (extra: object) =>
    JSON.stringify({ compilerOptions: { target: 'es2022', lib: ['es2022'], module: 'nodenext', moduleResolution: 'nodenext', strict: true, skipLibCheck: false, noEmit: true, types: ['node'], ...extra }, include: ['main.ts'] })

  test.each([
    ['5.0', tool('typescript/bin/tsc')],
    ['6.0', fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))],
  ])('compiles by TypeScript %s', async (version, tsc) => {
    const project = await packed.project(`backend-${version}`, { ...backend, 'tsconfig.json': config({}) }, ['@types/node', 'undici-types'])
    await project.node(tsc, '-p', '.').catch((error: { stdout?: string }) => {
      throw new Error(error.stdout)
    })
  })
})

/** The answer of an address, once its server runs. */
async function answers(url: string): Promise<unknown> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined)
    if (response !== undefined) return response.json()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
