/** A built page, served under a content security policy and opened in a real browser. */

import { readFile, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

import { chromium, type Browser, type Page } from 'playwright-core'

import { NOBODY } from './apps.js'

/** The least permissions that the SDK needs. */
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:"

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }

export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** A page of another server. */
interface Elsewhere {
  readonly url: string
}

export interface Built {
  readonly folder: string
  /** The Content-Security-Policy of the page. */
  readonly policy?: string
  /** Replaces `<!--app-->`. */
  readonly rendered?: string
}

export type Site = Built | Elsewhere

export class Visitor {
  readonly #browser: Browser

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  static async arrive(): Promise<Visitor> {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    return new Visitor(await chromium.launch({ executablePath: CHROMIUM, args }))
  }

  /** Opens the site, and returns the result of `look` with all errors and warnings of the page. */
  async open<T>(site: Site, look: (page: Page) => Promise<T>): Promise<{ found: T; complaints: readonly string[] }> {
    const server = 'url' in site ? undefined : await serve(site)
    const page = await this.#browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      // These tests have no server, so failed connections are expected.
      const expected = message.text().includes(NOBODY) || message.location().url.includes('favicon.ico')
      if (['error', 'warning'].includes(message.type()) && !expected) complaints.push(message.text())
    })
    try {
      await page.goto('url' in site ? site.url : `http://127.0.0.1:${(server!.address() as AddressInfo).port}`)
      return { found: await look(page), complaints }
    } finally {
      await page.close()
      server?.closeAllConnections()
      server?.close()
    }
  }

  async leave(): Promise<void> {
    await this.#browser.close()
  }
}

async function serve({ folder, policy = POLICY, rendered = '' }: Built): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.url === '/favicon.ico') return response.writeHead(204).end()
    const path = join(folder, normalize(request.url === '/' ? '/index.html' : (request.url ?? '/')))
    if (!(await stat(path).catch(() => undefined))?.isFile()) return response.writeHead(404).end()
    const body = await readFile(path)
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/plain', 'content-security-policy': policy })
    return response.end(extname(path) === '.html' ? body.toString().replace('<!--app-->', rendered) : body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** A port that was free a moment ago, for a server that must know it beforehand. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
