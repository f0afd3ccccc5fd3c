import { createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Child, freePort } from '../harness/process.ts'

const SECRET = 'secret'

/** A Centrifugo that keeps history: `go install github.com/centrifugal/centrifugo/v6@latest`. */
export class Centrifugo {
  readonly #port: number
  readonly #folder: string
  readonly #child: Child

  private constructor(program: string, port: number, folder: string) {
    this.#port = port
    this.#folder = folder
    this.#child = new Child(program, ['--config', join(folder, 'config.json')])
  }

  static async start(program: string): Promise<Centrifugo> {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-centrifugo-'))
    const port = await freePort()
    const inbox = { name: 'inbox', history_size: 100, history_ttl: '24h', force_recovery: true, allow_subscribe_for_client: true }
    const config = {
      http_server: { address: '127.0.0.1', port: String(port) },
      http_api: { key: 'dev' },
      client: { token: { hmac_secret_key: SECRET }, allowed_origins: ['*'] },
      channel: { namespaces: [inbox] },
      health: { enabled: true },
    }
    await writeFile(join(folder, 'config.json'), JSON.stringify(config))
    const centrifugo = new Centrifugo(program, port, folder)
    await centrifugo.#child.answers(`http://127.0.0.1:${port}/health`)
    return centrifugo
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/connection/websocket`
  }

  /** A token of a user. */
  token(user: string): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + 3600 })}`
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
  }

  async publish(channel: string, data: object): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': 'dev', 'Content-Type': 'application/json' },
      body: JSON.stringify({ channel, data }),
    })
    if (!response.ok) throw new Error(`publish: ${response.status} ${await response.text()}`)
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGKILL')
    await rm(this.#folder, { recursive: true, force: true })
  }
}
