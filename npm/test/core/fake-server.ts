/**
 * A scripted server behind a stand-in for `WebSocket`: tests set its answers, and wait for
 * conditions. The client above it is the real one with its compiled core.
 */

import { vi } from 'vitest'

export interface Sent {
  readonly type: string
  readonly [field: string]: unknown
}

/** A socket that the client opened. */
export class FakeSocket extends EventTarget {
  static readonly OPEN = 1
  readonly sent: Sent[] = []
  readyState = 0
  closedWith: number | undefined

  readonly url: string

  constructor(url: string) {
    super()
    this.url = url
    FakeServer.current?.sockets.push(this)
    FakeServer.current?.changed()
  }

  send(text: string) {
    const message = JSON.parse(text) as Sent
    this.sent.push(message)
    FakeServer.current?.received(this, message)
    FakeServer.current?.changed()
  }

  close(code?: number) {
    if (this.readyState === 3) return
    this.readyState = 3
    this.closedWith = code
    FakeServer.current?.changed()
  }

  /** The server accepts the socket. */
  open() {
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
  }

  /** The server sends messages. */
  say(...messages: object[]) {
    this.raw(messages.map((message) => JSON.stringify(message)).join('\n'))
  }

  raw(data: unknown) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }

  /** The connection ends. */
  end(code = 1006, reason = '') {
    this.readyState = 3
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }))
  }
}

export const EPOCH = 'AAAAAAAA'

/** A server that accepts every client; each test overrides the behaviour that it tests. */
export class FakeServer {
  static current: FakeServer | undefined
  readonly sockets: FakeSocket[] = []
  /** Answers by message type. */
  readonly answers: Record<string, (socket: FakeSocket, message: Sent) => void> = {}
  user = 'u1'
  offset = 0
  items: object[] = []
  unread = 0
  private readonly waiting = new Set<() => void>()

  constructor() {
    FakeServer.current = this
    vi.stubGlobal('WebSocket', FakeSocket)
    this.answers['connect'] = (socket) => this.welcome(socket)
    this.answers['ping'] = (socket, message) => socket.say({ type: 'pong', id: message['id'], now: Date.now() })
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('the client opened no socket')
    return socket
  }

  changed() {
    for (const check of [...this.waiting]) check()
  }

  received(socket: FakeSocket, message: Sent) {
    const answer = this.answers[message.type]
    // Networks answer later, never within the call.
    if (answer !== undefined) queueMicrotask(() => answer(socket, message))
  }

  /** Waits until the probe returns a value. */
  until<T>(probe: () => T | undefined | false): Promise<T> {
    return new Promise((resolve) => {
      const check = () => {
        const found = probe()
        if (found === undefined || found === false) return
        this.waiting.delete(check)
        resolve(found)
      }
      this.waiting.add(check)
      check()
    })
  }

  /** Waits for the client's n-th socket and accepts it. */
  async accept(count = 1): Promise<FakeSocket> {
    const socket = await this.until(() => this.sockets[count - 1])
    queueMicrotask(() => socket.open())
    await this.until(() => socket.sent.some((message) => message.type === 'connect'))
    return socket
  }

  get inbox() {
    return `inbox:${this.user}`
  }

  counts() {
    return { inbox: { unread: this.unread, unseen: this.unread }, system: { unread: 0, unseen: 0, at: 0 } }
  }

  welcome(socket: FakeSocket) {
    socket.say(
      {
        type: 'connected',
        user_id: this.user,
        session: 's1',
        session_token: 't1',
        message: 'welcome',
        version: 1,
        heartbeat_ms: 25_000,
        timeout_ms: 10_000,
        now: Date.now(),
        limits: { message_bytes: 10_240, subscriptions: 100, page: 100 },
      },
      { type: 'subscribed', channel: this.inbox, epoch: EPOCH, first: 1, top: this.offset, offset: this.offset, recovered: false },
      { type: 'subscribed', channel: 'system:all', epoch: EPOCH, first: 1, top: 0, offset: 0, recovered: false },
      {
        type: 'snapshot',
        channel: this.inbox,
        epoch: EPOCH,
        offset: this.offset,
        system: { epoch: EPOCH, offset: 0 },
        counts: this.counts(),
        more: false,
        system_more: false,
        items: this.items,
      },
    )
  }

  /** A new notification, as a record of the log. */
  notification(data: object = {}) {
    this.offset += 1
    this.unread += 1
    const id = `n${this.offset}`
    return {
      type: 'notification',
      channel: this.inbox,
      offset: this.offset,
      id,
      kind: 'message',
      at: Date.now(),
      counts: this.counts(),
      data: { notification_id: id, type: 'message', title: `Title ${this.offset}`, created_at: new Date().toISOString(), ...data },
    }
  }
}
