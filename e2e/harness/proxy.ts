import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** The network between browser and server: a TCP proxy that can fail as networks do. */
export class Proxy {
  readonly #server: Server
  readonly #links = new Set<Link>()
  #refusing = false

  private constructor(target: number) {
    this.#server = createServer(client => {
      if (this.#refusing) return client.destroy()
      const link = new Link(client, target, () => this.#links.delete(link))
      this.#links.add(link)
      return undefined
    })
  }

  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Links that are open just now. */
  get open(): number {
    return this.#links.size
  }

  /** Half-open: today's links stay open for both ends, but nothing passes any more. New links work. */
  stall(): void {
    for (const link of this.#links) link.stall()
  }

  /** Ends today's links. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** Whether new links are refused. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
  }

  async stop(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

class Link {
  readonly #ends: readonly [Socket, Socket]

  constructor(client: Socket, target: number, closed: () => void) {
    const server = connect(target, '127.0.0.1')
    this.#ends = [client, server]
    for (const [end, other] of [[client, server], [server, client]] as const) {
      end.pipe(other)
      end.on('error', () => this.cut())
      end.on('close', () => {
        other.destroy()
        closed()
      })
    }
  }

  stall(): void {
    for (const end of this.#ends) {
      end.unpipe()
      // Take the bytes, as a dead link's buffers do, and let them vanish.
      end.resume()
    }
  }

  cut(): void {
    for (const end of this.#ends) end.destroy()
  }
}
