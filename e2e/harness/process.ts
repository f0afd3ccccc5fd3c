import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/** A child process that is ended by its own id. A failed test shows its output. */
export class Child {
  readonly #process: ChildProcess
  readonly #output: string[] = []

  /** `detached`: in its own process group, as a terminal starts a command. */
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

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Ends it and waits for its end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) return
    const gone = once(this.#process, 'exit')
    this.#process.kill(signal)
    await gone
  }

  /**
   * Sends Ctrl-C to a detached process: a signal to its whole process group. Waits for its end and
   * returns its exit code.
   */
  async interrupt(): Promise<number | null> {
    const gone = once(this.#process, 'exit')
    process.kill(-this.pid, 'SIGINT')
    await gone
    return this.#process.exitCode
  }

  /** Waits until `url` answers with success; fails with the output if the process ends instead. */
  async answers(url: string): Promise<void> {
    await until(async () => {
      if (!this.running) throw new Error(`The process ended before it answered:\n${this.output}`)
      return fetch(url).then(({ ok }) => ok, () => false)
    }, `${url} to answer`)
  }
}

/** Asks every few milliseconds until the answer is yes. */
export async function until(condition: () => Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** A port that was free a moment ago, for processes that must return on the same one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether a process accepts connections on the port. */
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
