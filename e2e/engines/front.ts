import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A page of the same origin that does not belong to the app. */
export const ELSEWHERE = '/elsewhere'
const SCRIPT = '/front.js'

/**
 * Changes of the front to answers of the app's backend. They work the same in every engine, while
 * browsers differ in what can be set.
 */
export interface Changes {
  /** Another Content-Security-Policy for the page. */
  readonly policy?: (policy: string) => string
  /** A script that runs in the page before all others. */
  readonly script?: () => void
  /** Whether the file at this path is missing now. */
  readonly isMissing?: (path: string) => boolean
  /** Whether pages of an opaque origin may read its answers, too. */
  readonly forOpaqueOrigins?: boolean
}

/** A proxy before the app's backend: plays the page's network, and mistakes of an app's hosting. */
export class Front {
  changes: Changes = {}
  /** Paths that were requested so far. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #target: URL
  #refusing = false

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((asked, answer) => this.#pass(asked, answer))
    this.#server.on('connection', socket => {
      if (this.#refusing) socket.destroy()
    })
  }

  static async start(target: string): Promise<Front> {
    const front = new Front(target)
    front.#server.listen(0, '127.0.0.1')
    await once(front.#server, 'listening')
    return front
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Refuses new connections or accepts them again; refusing also ends the open ones. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
    if (refusing) this.#server.closeAllConnections()
  }

  /** Number of requests to the ticket route. */
  get tickets(): number {
    return this.asked.filter(path => path === '/api/tidings-ticket').length
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { pathname } = new URL(asked.url ?? '/', 'http://page')
    this.asked.push(pathname)
    const { isMissing, script } = this.changes
    if (pathname === ELSEWHERE) return send(answer, 'text/html', '<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>')
    if (pathname === SCRIPT && script !== undefined) return send(answer, 'text/javascript', `(${String(script)})()`)
    if (isMissing?.(pathname)) return void answer.writeHead(404, this.#cors()).end('not here')
    if (this.changes.forOpaqueOrigins && asked.method === 'OPTIONS') return void answer.writeHead(204, this.#cors()).end()

    const { hostname: host, port } = this.#target
    const headers = { ...asked.headers, 'accept-encoding': 'identity' }
    // The backend gets the same headers as from a page of its own origin, so that only the browser
    // refuses.
    if (this.changes.forOpaqueOrigins) Object.assign(headers, { origin: `http://${headers.host}`, 'sec-fetch-site': 'same-origin' })
    const passed = request({ host, port, method: asked.method, path: asked.url, headers }, given => void this.#back(given, answer).catch(() => answer.destroy()))
    passed.on('error', () => answer.destroy())
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  }

  async #back(given: IncomingMessage, answer: ServerResponse): Promise<void> {
    given.on('error', () => answer.destroy())
    const { policy, script } = this.changes
    const headers: OutgoingHttpHeaders = { ...given.headers, ...this.#cors() }
    const isPage = given.headers['content-type']?.startsWith('text/html') ?? false
    const csp = given.headers['content-security-policy']
    if (isPage && policy !== undefined && typeof csp === 'string') headers['content-security-policy'] = policy(csp)
    if (!isPage || script === undefined) {
      answer.writeHead(given.statusCode ?? 502, headers)
      given.pipe(answer)
      return
    }
    const parts: Buffer[] = []
    for await (const part of given) parts.push(part as Buffer)
    const body = Buffer.concat(parts).toString().replace('<head>', `<head><script src="${SCRIPT}"></script>`)
    answer.writeHead(given.statusCode ?? 502, { ...headers, 'content-length': Buffer.byteLength(body) })
    answer.end(body)
  }

  #cors(): OutgoingHttpHeaders {
    return this.changes.forOpaqueOrigins ? { 'access-control-allow-origin': 'null', 'access-control-allow-headers': 'content-type' } : {}
  }
}

function send(answer: ServerResponse, type: string, body: string): void {
  answer.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache', 'cross-origin-opener-policy': 'same-origin' }).end(body)
}
