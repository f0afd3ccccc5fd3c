import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

const TYPES: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript' }

/** Serves files from memory, compressed, and the credentials of one user. */
export class Site {
  readonly #server: HttpServer
  readonly #files = new Map<string, Buffer>()

  /** `credential` is asked for at each `POST /credential`. */
  private constructor(credential: () => Promise<string>) {
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://site').pathname
      const file = this.#files.get(path)
      if (request.method === 'POST') void credential().then(text => response.end(text))
      else if (file === undefined) response.writeHead(404).end()
      else {
        const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
        response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip', 'cache-control': 'no-store' }).end(file)
      }
    })
  }

  static async start(credential: () => Promise<string>): Promise<Site> {
    const site = new Site(credential)
    site.#server.listen(0, '127.0.0.1')
    await once(site.#server, 'listening')
    return site
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  add(path: string, content: string | Uint8Array): void {
    this.#files.set(path, gzipSync(content, { level: 9 }))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
