/**
 * Hot reloads by Vite's development server: each edit runs the module that makes the client again.
 */

import { createServer } from 'vite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

import { NOBODY } from './apps.js'
import { Packed } from './project.js'
import { freePort, Visitor } from './site.js'

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

type Page = { edits: number; clients: { connection: { get(): { status: string } } }[] }

/** The app's module after this many edits. */
const module = (edit: number, keeps: boolean) => `import { createTidings } from 'tidings'
const make = () => createTidings({ url: 'http://${NOBODY}', ticket: async () => 'T', user: 'u1', storage: 'memory', logger: { debug() {}, warn: (text) => (window.said ??= []).push(text), error() {} } })
${keeps ? 'export const tidings = import.meta.hot.data.tidings ?? make()\nimport.meta.hot.data.tidings = tidings' : 'export const tidings = make()'}
tidings.inbox.subscribe(() => {})
window.clients = [...new Set([...(window.clients ?? []), tidings])]
window.edits = ${edit}
import.meta.hot.accept()
`

/** The state of each client of the page after three edits, and the warnings. */
async function afterThreeEdits(name: string, keeps: boolean) {
  const index = '<!doctype html><title>reload</title><script type="module" src="/client.js"></script>'
  const { folder } = await packed.project(name, { 'index.html': index, 'client.js': '' }, ['vite'])
  const port = await freePort()
  let edit = 0
  // In memory, because a file watcher may miss one of two edits.
  const edited = { name: 'edited', load: (id: string) => (id.endsWith('/client.js') ? module(edit, keeps) : undefined) }
  // The command line sets this; the test runner sets `test`.
  vi.stubEnv('NODE_ENV', 'development')
  const server = await createServer({ root: folder, logLevel: 'error', plugins: [edited], server: { host: '127.0.0.1', port }, optimizeDeps: { include: ['tidings'] } })
  try {
    await server.listen()
    const { found } = await visitor.open({ url: `http://127.0.0.1:${port}` }, async (page) => {
      for (; edit < 4; edit++) {
        const edited = await server.moduleGraph.getModuleByUrl('/client.js')
        if (edit > 0 && edited !== undefined) await server.reloadModule(edited)
        await page.waitForFunction(
          (edit) => {
            const { edits, clients } = window as never as Page
            return edits === edit && clients.slice(0, -1).every((client) => client.connection.get().status === 'closed')
          },
          edit,
          { timeout: 60_000 },
        )
      }
      return page.evaluate(() => {
        const { clients, said = [] } = window as never as Page & { said?: string[] }
        return { statuses: clients.map((client) => client.connection.get().status), reloads: said.filter((text) => text.includes('hot reload')).length }
      })
    })
    return found
  } finally {
    await server.close()
    vi.unstubAllEnvs()
  }
}

test('what they leave behind is closed, and said', async () => {
  const { statuses, reloads } = await afterThreeEdits('reload', false)
  expect(statuses).toEqual(['closed', 'closed', 'closed', expect.not.stringContaining('closed')])
  expect(reloads).toBe(3)
})

test('a client kept as the documentation shows is the same over all of them', async () => {
  const { statuses, reloads } = await afterThreeEdits('kept', true)
  expect(statuses).toHaveLength(1)
  expect(reloads).toBe(0)
})
