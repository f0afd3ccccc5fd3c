import { once } from 'node:events'

import { WebSocket } from 'ws'

import type { Server } from './server.ts'

/** A message of the protocol, as far as tests read it. */
export interface Message {
  readonly type: string
  readonly [key: string]: unknown
}

/** Messages in the order of their arrival, with ways to wait for them. */
export class Inbox {
  readonly messages: Message[] = []
  /** Number of comments in a stream. */
  heartbeats = 0
  /** Milliseconds of the last `retry:`. */
  retryMs: number | undefined
  ended = false
  #wake: () => void = () => {}

  add(message: Message): void {
    this.messages.push(message)
    this.wake()
  }

  wake(): void {
    this.#wake()
  }

  end(): void {
    this.ended = true
    this.wake()
  }

  /** Waits until `found` is true of the messages so far. */
  async until(found: (inbox: this) => boolean, what: string): Promise<void> {
    while (!found(this)) {
      if (this.ended) throw new Error(`It ended before ${what}: ${JSON.stringify(this.messages)}`)
      await this.#change(what)
    }
  }

  /** Waits for the first message of a type. */
  async hear(type: string): Promise<Message> {
    const of = (message: Message) => message.type === type
    await this.until(inbox => inbox.messages.some(of), `a ${type}`)
    return this.messages.find(of)!
  }

  /** Waits for the end. */
  async over(): Promise<void> {
    while (!this.ended) await this.#change('the end')
  }

  get titles(): string[] {
    return this.messages.filter(({ type }) => type === 'notification').map(({ data }) => (data as { title: string }).title)
  }

  #change(what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`Waited in vain for ${what}: ${JSON.stringify(this.messages)}`)), 40_000)
      this.#wake = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }
}

export async function ticket(server: Server, user = 'mina', origin?: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/tickets`, {
    method: 'POST',
    headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json' },
    body: JSON.stringify({ user, ...(origin !== undefined && { origin }) }),
  })
  return ((await response.json()) as { ticket: string }).ticket
}

/** A WebSocket without the SDK. Fails with the status if the upgrade is refused. */
export class RawSocket extends Inbox {
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    super()
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.add(JSON.parse(data.toString()) as Message))
    socket.on('close', () => this.end())
    socket.on('error', () => this.end())
  }

  static async open(url: string, connect: object): Promise<RawSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`)
    const refused = new Promise<never>((_, reject) => {
      socket.on('unexpected-response', (_request, response) => reject(new Error(`status ${response.statusCode}`)))
    })
    await Promise.race([once(socket, 'open'), refused])
    const raw = new RawSocket(socket)
    raw.say({ type: 'connect', version: 1, ...connect })
    return raw
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify(message))
  }

  close(): void {
    this.#socket.terminate()
  }
}

/** A stream of server-sent events without the SDK. */
export class RawStream extends Inbox {
  /** `id` of the last event. */
  id = ''
  readonly status: number
  readonly #abort: AbortController

  private constructor(status: number, abort: AbortController) {
    super()
    this.status = status
    this.#abort = abort
  }

  /** Opens the stream and reads in the background. Returns when the head of the answer is there. */
  static async open(url: string, init: RequestInit = {}): Promise<RawStream> {
    const abort = new AbortController()
    const response = await fetch(url, { ...init, signal: abort.signal })
    const stream = new RawStream(response.status, abort)
    void stream.#read(response).then(
      () => stream.end(),
      () => stream.end(),
    )
    return stream
  }

  close(): void {
    this.#abort.abort()
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true })
      const lines = text.split('\n')
      text = lines.pop()!
      for (const line of lines) this.#line(line)
    }
  }

  #line(line: string): void {
    if (line.startsWith('id: ')) this.id = line.slice(4)
    else if (line.startsWith('retry: ')) this.retryMs = Number(line.slice(7))
    else if (line.startsWith('data: ')) this.add(JSON.parse(line.slice(6)) as Message)
    else if (line === ':') {
      this.heartbeats += 1
      this.wake()
    }
  }
}

/** One call of a long poll: its head and its messages. */
export async function poll(url: string, connect: object, waitMs = 0): Promise<{ head: Message; messages: Message[] }> {
  const response = await fetch(`${url}/v1/poll?wait=${waitMs}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ type: 'connect', version: 1, ...connect }),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`poll: ${response.status} ${text}`)
  const [head, ...messages] = text.trimEnd().split('\n').map(line => JSON.parse(line) as Message)
  return { head: head!, messages }
}
