/**
 * The tarball as apps get it: packed, installed into fresh projects, built, and opened in a real
 * browser.
 */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { createServer } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import * as apps from './apps.js'
import { Packed, type Project } from './project.js'
import { freePort, POLICY, Visitor, type Site } from './site.js'

let packed: Packed
let visitor: Visitor

beforeAll(async () => {
  packed = await Packed.make()
  visitor = await Visitor.arrive()
})
afterAll(async () => {
  await visitor?.leave()
  await packed?.remove()
})

/** Opens an app and waits until it shows this text: there is no server at its address. */
const says = (site: Site, text: string) =>
  visitor.open(site, async (page) => {
    await page.waitForFunction((wanted) => document.querySelector('output')?.textContent === wanted, text)
    return page.evaluate(() => {
      const { written } = window as { written?: Element | null }
      return written === document.querySelector('output')
    })
  })

describe('a plain app, by Vite', () => {
  let project: Project
  beforeAll(async () => {
    project = await packed.project('plain', apps.plain, ['vite'])
    await project.vite('build')
  })

  type Seen = [status: string, code: string | null, message: string | null]

  /** Opens the app under a policy, waits for a state, and returns all states until then. */
  async function open(policy: string, until: string): Promise<{ before: unknown; states: Seen[] }> {
    const { found } = await visitor.open({ folder: join(project.folder, 'dist'), policy }, async (page) => {
      await page.waitForFunction((status) => (window as never as { states: Seen[] }).states.some(([seen]) => seen === status), until)
      return page.evaluate(() => {
        const { before, states } = window as never as { before: unknown; states: Seen[] }
        return { before, states }
      })
    })
    return found
  }

  test('the package holds what its exports name, and no sources', async () => {
    const installed = join(project.folder, 'node_modules/tidings')
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
    expect((await project.node('--input-type=module', '-e', script)).trim()).toBe('"idle"')
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
})

/** Renders on a server with Node alone, and checks that the client is unchanged. */
async function rendered(project: Project, entry: string): Promise<string> {
  await project.vite('build', '--ssr', entry, '--outDir', 'server')
  const [html, status] = JSON.parse(await project.node(join('server', `${entry.split('.')[0]}.js`))) as [string, string]
  expect(status).toBe('idle')
  return html
}

/**
 * Runs under Vite's development server, which finds and bundles the installed packages one by one.
 */
async function runsInDevelopment({ folder }: Project): Promise<void> {
  const port = await freePort()
  const server = await createServer({ root: folder, logLevel: 'error', server: { host: '127.0.0.1', port } })
  try {
    await server.listen()
    const { complaints } = await says({ url: `http://127.0.0.1:${server.config.server.port}` }, 'waiting network 0')
    expect(complaints).toEqual([])
  } finally {
    await server.close()
  }
}

describe('React', () => {
  let project: Project
  beforeAll(async () => {
    project = await packed.project('react', apps.react, ['vite', 'react', 'react-dom'])
  })

  test('is rendered on a server, hydrated in a browser, and connects', async () => {
    const html = await rendered(project, 'server.jsx')
    expect(html).toBe('<output>idle well 0</output>')
    await project.vite('build')
    const { found: keptNodes, complaints } = await says({ folder: join(project.folder, 'dist'), rendered: html }, 'waiting network 0')
    expect({ keptNodes, complaints }).toEqual({ keptNodes: true, complaints: [] })
  })

  test('runs on the development server', () => runsInDevelopment(project))

  test('is built by webpack', async () => {
    const project = await packed.project('webpack', apps.webpack, ['webpack', 'react', 'react-dom'])
    await project.node('build.js')
    const { complaints } = await says({ folder: join(project.folder, 'dist') }, 'waiting network 0')
    expect(complaints).toEqual([])
  })
})

describe('Svelte', () => {
  let project: Project
  beforeAll(async () => {
    project = await packed.project('svelte', apps.svelte, ['vite', 'svelte', '@sveltejs/vite-plugin-svelte'])
  })

  test('is rendered on a server, where `$inbox` subscribes as well, hydrated in a browser, and connects', async () => {
    const html = await rendered(project, 'server.js')
    expect(html).toContain('<output>idle well 0</output>')
    expect(html).toContain('<p>loading</p>')
    await project.vite('build')
    const { found: keptNodes, complaints } = await says({ folder: join(project.folder, 'dist'), rendered: html }, 'waiting network 0')
    expect({ keptNodes, complaints }).toEqual({ keptNodes: true, complaints: [] })
  })

  test('runs on the development server, where its modules are not bundled', () => runsInDevelopment(project))
})
