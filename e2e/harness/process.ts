import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/** A child process that is ended by its own id, and whose output can be shown when a test fails. */
export class Child {
  readonly #process: ChildProcess
  readonly #output: string[] = []

  /** `detached`: in a process group of its own, as a terminal starts a command. */
  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}, { detached = false } = {}) {
    this.#process = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (text: Buffer) => this.#output.push(text.toString()))
    }
  }

  get output(): string {
    return this.#output.join('')
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`The process did not start:\n${this.output}`)
    return this.#process.pid
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Tells it something that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Ends it and waits until it is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) return
    const gone = once(this.#process, 'exit')
    this.#process.kill(signal)
    await gone
  }

  /** What Ctrl-C does to a detached one: a signal to everybody in its group. Waits for its end and answers its exit code. */
  async interrupt(): Promise<number | null> {
    const gone = once(this.#process, 'exit')
    process.kill(-this.pid, 'SIGINT')
    await gone
    return this.#process.exitCode
  }

  /** Waits until `url` answers with a success; fails with the output when the process ends instead. */
  async answers(url: string): Promise<void> {
    await until(async () => {
      if (!this.running) throw new Error(`The process ended before it answered:\n${this.output}`)
      return fetch(url).then(({ ok }) => ok, () => false)
    }, `${url} to answer`)
  }
}

/** Asks again every few milliseconds until the answer is yes. */
export async function until(condition: () => Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** A port that was free a moment ago; for processes that must come back on the same one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether somebody takes connections there. */
export function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
