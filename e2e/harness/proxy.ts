import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** The network between browser and server: a TCP proxy that fails as networks do. */
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

  /** Number of open connections. */
  get open(): number {
    return this.#links.size
  }

  /**
   * Makes the open connections half-open: both ends still see them, but no byte passes. New
   * connections work.
   */
  stall(): void {
    for (const link of this.#links) link.stall()
  }

  /** Ends the open connections. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** Refuses new connections, or accepts them again. */
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
      // Reads the bytes and drops them, as a dead connection's buffers do.
      end.resume()
    }
  }

  cut(): void {
    for (const end of this.#ends) end.destroy()
  }
}
