// The same page for each subject: it connects, and shows a list of titles.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ROOT, SDK } from '../harness/paths.ts'
import type { Site } from './site.ts'

const HTML = '<!doctype html><meta charset="utf-8"><title>Inbox</title><ul></ul><script type="module" src="app.js"></script>'

/** `done` notes when the list is in the page, in milliseconds since the navigation. */
const COMMON = `
const credential = () => fetch('/credential', { method: 'POST' }).then(response => response.text())
const show = titles => {
  document.querySelector('ul').replaceChildren(...titles.map(title => Object.assign(document.createElement('li'), { textContent: title })))
  globalThis.done ??= performance.now()
}
`

const tidings = (imported: string, url: string) => `${imported}
${COMMON}
const client = createTidings({ url: '${url}', user: 'mina', ticket: credential })
client.inbox.subscribe(({ status, items }) => status === 'live' && show(items.map(item => item.title)))
`

/** The package as it is. */
export const inParts = (url: string): string => tidings(`import { createTidings } from '${SDK}/index.js'`, url)

/** The package with its module whole, as one more file. */
export const whole = (url: string, module: string): string =>
  tidings(
    `import { client as make } from '${SDK}/client.js'
import { chunk } from '${SDK}/chunk.js'
import { unpack } from '${SDK}/loader.js'
const core = chunk(() => import('${module}'))
const createTidings = options => make(options, { core: async () => unpack((await core()).default) })`,
    url,
  )

/** centrifuge-js, whose subscription recovers the channel's history: no request more than needed. */
export const centrifuge = (url: string, titles: number): string => `
import { Centrifuge } from '${ROOT}e2e/node_modules/centrifuge/build/index.mjs'
${COMMON}
const client = new Centrifuge('${url}', { getToken: credential })
const inbox = client.newSubscription('inbox:mina', { since: { offset: 0, epoch: '' } })
const titles = []
inbox.on('publication', ({ data }) => {
  titles.unshift(data.title)
  if (titles.length === ${titles}) show(titles)
})
inbox.subscribe()
client.connect()
`

/** The module whole, packed as the package packs its parts. */
export async function packedModule(folder: string): Promise<string> {
  const { deflateAsync } = createRequire(`${ROOT}npm/package.json`)('@gfx/zopfli') as {
    deflateAsync: (bytes: Uint8Array, options: object) => Promise<Uint8Array>
  }
  const packed = await deflateAsync(await readFile(`${SDK}/core.wasm`), { numiterations: 15, blocksplitting: true, blocksplittingmax: 0 })
  const file = join(folder, 'whole.js')
  await writeFile(file, `export default '${Buffer.from(packed).toString('base64')}'\n`)
  return file
}

/** Bundles a page as an app's would be, and serves it as `/name/index.html`. */
export async function addPage(site: Site, name: string, source: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-first-inbox-'))
  const [entry, out] = [join(folder, 'app.js'), join(folder, 'out')]
  await writeFile(entry, source)
  const options = ['--bundle', '--minify', '--splitting', '--format=esm', '--target=es2022', '--platform=browser']
  const define = '--define:process.env.NODE_ENV="production"'
  execFileSync(`${ROOT}npm/node_modules/.bin/esbuild`, [entry, ...options, define, '--legal-comments=none', '--log-level=warning', `--outdir=${out}`])
  site.add(`/${name}/index.html`, HTML)
  for (const file of await readdir(out)) site.add(`/${name}/${file}`, await readFile(join(out, file)))
  await rm(folder, { recursive: true })
}
