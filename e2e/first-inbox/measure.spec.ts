// Measures the time from a navigation until a page shows its first inbox, with nothing in the
// browser's caches.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, expect, test, type Browser } from '@playwright/test'

import { CHROMIUM_ARGS, CHROMIUM_PATH } from '../harness/chromium.ts'
import { Server } from '../harness/server.ts'
import { Centrifugo } from './centrifugo.ts'
import { addPage, centrifuge, inParts, packedModule, whole } from './pages.ts'
import { Site } from './site.ts'

/** Of each subject in each situation. */
const RUNS = Number(process.env.RUNS ?? 15)
const TITLES = 20

interface Situation {
  readonly name: string
  readonly kilobits: number
  readonly latency: number
  readonly cpu: number
}

const NETWORKS = [
  { name: '1.6 Mbit/s, 150 ms', kilobits: 1_600, latency: 150 },
  { name: '9 Mbit/s, 60 ms', kilobits: 9_000, latency: 60 },
]
const SITUATIONS: readonly Situation[] = NETWORKS.flatMap(network => [1, 4].map(cpu => ({ ...network, cpu, name: `${network.name}, CPU ${cpu}×` })))

test('time to the first inbox', async () => {
  const server = await Server.start()
  const program = process.env.CENTRIFUGO_PATH
  const centrifugo = program === undefined ? undefined : await Centrifugo.start(program)
  const ticket = async () => {
    const headers = { Authorization: 'Bearer dev', 'Content-Type': 'application/json' }
    const response = await fetch(`${server.url}/v1/tickets`, { method: 'POST', headers, body: JSON.stringify({ user: 'mina' }) })
    return ((await response.json()) as { ticket: string }).ticket
  }
  const [site, other] = [await Site.start(ticket), await Site.start(async () => centrifugo?.token('mina') ?? '')]
  const folder = await mkdtemp(join(tmpdir(), 'tidings-first-inbox-'))
  const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: CHROMIUM_ARGS })
  try {
    for (let number = 1; number <= TITLES; number++) {
      const title = `Payment ${number} of Order 10${number} arrived`
      await server.publish({ to: { user: 'mina' }, title })
      await centrifugo?.publish('inbox:mina', { title })
    }
    const subjects = new Map([
      ['in parts', `${site.url}/parts/index.html`],
      ['whole', `${site.url}/whole/index.html`],
    ])
    await addPage(site, 'parts', inParts(server.url))
    await addPage(site, 'whole', whole(server.url, await packedModule(folder)))
    if (centrifugo === undefined) console.log('CENTRIFUGO_PATH names no Centrifugo: its client is not measured.')
    else {
      subjects.set('centrifuge-js', `${other.url}/centrifuge/index.html`)
      await addPage(other, 'centrifuge', centrifuge(centrifugo.url, TITLES))
    }
    // A first page of each fills the machine's caches, not the browser's.
    for (const url of subjects.values()) await first(browser, url, { name: 'no limits', kilobits: 0, latency: 0, cpu: 1 })
    for (const situation of SITUATIONS) {
      const times = new Map([...subjects.keys()].map(name => [name, [] as number[]]))
      // In turn, so that a busy moment of the machine is in the way of all.
      for (let run = 0; run < RUNS; run++) {
        for (const [name, url] of subjects) times.get(name)?.push(await first(browser, url, situation))
      }
      console.log(`\n${situation.name}; ${RUNS} runs each, milliseconds`)
      for (const [name, list] of times) console.log(line(name, list, times.get('in parts') ?? []))
    }
  } finally {
    await browser.close()
    await rm(folder, { recursive: true })
    for (const one of [site, other, server, centrifugo]) await one?.stop()
  }
})

/** Opens the page as a new visitor, and returns when it shows its list. */
async function first(browser: Browser, url: string, { kilobits, latency, cpu }: Situation): Promise<number> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const session = await context.newCDPSession(page)
    const bytes = kilobits === 0 ? -1 : (kilobits * 1_000) / 8
    await session.send('Network.enable')
    await session.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: bytes, uploadThroughput: bytes })
    await session.send('Emulation.setCPUThrottlingRate', { rate: cpu })
    await page.goto(url, { waitUntil: 'commit' })
    const done = await page.waitForFunction(() => (globalThis as { done?: number }).done, undefined, { timeout: 60_000 })
    await expect(page.locator('li')).toHaveCount(TITLES)
    return (await done.jsonValue()) as number
  } finally {
    await context.close()
  }
}

/** Median, quartiles, and the median's ratio to that of the first subject. */
function line(name: string, times: readonly number[], base: readonly number[]): string {
  const at = (list: readonly number[], part: number) => [...list].sort((a, b) => a - b)[Math.round((list.length - 1) * part)] ?? NaN
  const [low, median, high] = [0.25, 0.5, 0.75].map(part => Math.round(at(times, part)))
  const ratio = at(times, 0.5) / at(base, 0.5)
  return `${name.padEnd(14)} median ${median}  quartiles ${low}–${high}  ×${ratio.toFixed(2)}`
}
