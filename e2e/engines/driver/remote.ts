import { once } from 'node:events'

import { WebSocket } from 'ws'

/**
 * The driver refused a command; the code is its own: `no such frame`, `stale element reference`, …
 */
export class Refused extends Error {
  readonly code: string

  constructor(command: string, code: string, message: string) {
    super(`${command}: ${code}: ${message}`)
    this.code = code
  }
}

/** W3C WebDriver: commands over HTTP to a driver on this machine. */
export class WebDriver {
  readonly #url: string

  /** `url` of the driver, or of a session. */
  constructor(url: string) {
    this.#url = url
  }

  async call<T = unknown>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const response = await fetch(this.#url + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } }
    if (!response.ok) throw new Refused(`${method} ${path}`, value.error ?? String(response.status), value.message ?? '')
    return value
  }
}

/** WebDriver BiDi: commands over a WebSocket. Its events are ignored. */
export class BiDi {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, { resolve: (result: never) => void; reject: (why: Error) => void; command: string }>()
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#hear(JSON.parse(data.toString()) as Answer))
    socket.on('close', () => this.#end())
    socket.on('error', () => this.#end())
  }

  static async open(url: string): Promise<BiDi> {
    const socket = new WebSocket(url)
    await once(socket, 'open')
    return new BiDi(socket)
  }

  call<T = unknown>(command: string, params: object = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) return reject(new Refused(command, 'closed', 'the browser is gone'))
      this.#last += 1
      this.#waiting.set(this.#last, { resolve, reject, command })
      this.#socket.send(JSON.stringify({ id: this.#last, method: command, params }))
    })
  }

  close(): void {
    this.#socket.close()
  }

  #hear({ id, type, result, error = '', message = '' }: Answer): void {
    const waiting = id == null ? undefined : this.#waiting.get(id)
    if (id == null || waiting === undefined) return
    this.#waiting.delete(id)
    if (type === 'success') waiting.resolve(result as never)
    else waiting.reject(new Refused(waiting.command, error, message))
  }

  #end(): void {
    for (const { reject, command } of this.#waiting.values()) reject(new Refused(command, 'closed', 'the browser is gone'))
    this.#waiting.clear()
  }
}

interface Answer {
  readonly id?: number | null
  readonly type: string
  readonly result?: unknown
  readonly error?: string
  readonly message?: string
}
