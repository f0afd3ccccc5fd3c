import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SERVER } from './paths.ts'
import { Child, freePort } from './process.ts'

export interface Notice {
  readonly to: { readonly user: string } | { readonly users: readonly string[] } | { readonly everyone: true }
  readonly title: string
  readonly url?: string
  readonly type?: string
  readonly message?: string
  readonly data?: unknown
}

/** The real server with its own data folder, on a port that it keeps over restarts. */
export class Server {
  readonly port: number
  readonly #folder: string
  #child: Child

  private constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
    this.#child = this.#spawn()
  }

  /** `config` is the text of its configuration file. */
  static async start(config = ''): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-e2e-'))
    await writeFile(join(folder, 'tidings.toml'), config)
    const server = new Server(await freePort(), folder)
    await server.#child.answers(`${server.url}/readyz`)
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get output(): string {
    return this.#child.output
  }

  /** Runs `kill -9`: the server loses everything it holds in memory. */
  async kill(): Promise<void> {
    await this.#child.end('SIGKILL')
  }

  async startAgain(): Promise<void> {
    this.#child = this.#spawn()
    await this.#child.answers(`${this.url}/readyz`)
  }

  /** Starts again without its data, as after the loss of its disk. */
  async startEmpty(): Promise<void> {
    await rm(this.#data, { recursive: true })
    await this.startAgain()
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGKILL')
    await rm(this.#folder, { recursive: true, force: true })
  }

  publish(notice: Notice, key?: string): Promise<string> {
    return publish(this.url, notice, key)
  }

  publishInsistently(notice: Notice): Promise<string> {
    return publishInsistently(this.url, notice)
  }

  /** Revokes all credentials of a user. */
  async revoke(user: string): Promise<void> {
    const headers = { Authorization: 'Bearer dev', 'Content-Type': 'application/json' }
    const response = await fetch(`${this.url}/v1/revocations`, { method: 'POST', headers, body: JSON.stringify({ user }) })
    if (response.status !== 202) throw new Error(`revoke: ${response.status} ${await response.text()}`)
  }

  /** Publishes in a channel as a backend; returns when it is stored. */
  async say(channel: string, data: unknown): Promise<void> {
    const response = await fetch(this.#messagesOf(channel), {
      method: 'POST',
      headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json' },
      body: JSON.stringify({ data }),
    })
    if (response.status !== 201) throw new Error(`say: ${response.status} ${await response.text()}`)
  }

  /** The first hundred stored messages of a channel, in order. */
  async messages(channel: string): Promise<unknown[]> {
    const response = await fetch(`${this.#messagesOf(channel)}?after=0&limit=100`, { headers: { Authorization: 'Bearer dev' } })
    if (response.status !== 200) throw new Error(`messages: ${response.status} ${await response.text()}`)
    const { messages } = (await response.json()) as { messages: { data: unknown }[] }
    return messages.map(({ data }) => data)
  }

  #messagesOf(channel: string): string {
    return `${this.url}/v1/channels/${encodeURIComponent(channel)}/messages`
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  #spawn(): Child {
    const config = join(this.#folder, 'tidings.toml')
    const listen = `127.0.0.1:${this.port}`
    return new Child(SERVER, ['serve', '--dev', '--listen', listen, '--data', this.#data, '--config', config])
  }
}

/**
 * Publishes and returns the notification's id once it is stored. `key` makes a repeat idempotent.
 */
export async function publish(
  url: string,
  { type = 'message', ...notice }: Notice,
  key: string = crypto.randomUUID(),
): Promise<string> {
  const response = await fetch(`${url}/v1/notifications`, {
    method: 'POST',
    headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify({ type, ...notice }),
  })
  if (response.status !== 201) throw new Error(`publish: ${response.status} ${await response.text()}`)
  const { results } = (await response.json()) as { results: [{ notification_id: string }] }
  return results[0].notification_id
}

/** Publishes, and repeats with the same key until there is an answer, as a backend should. */
export async function publishInsistently(url: string, notice: Notice): Promise<string> {
  const key = crypto.randomUUID()
  for (;;) {
    try {
      return await publish(url, notice, key)
    } catch (error) {
      if (!(error instanceof TypeError || /^Error: publish: 5/.test(String(error)))) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}
