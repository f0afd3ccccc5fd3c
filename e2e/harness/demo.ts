import { readdir } from 'node:fs/promises'

import { SERVER, XTASK } from './paths.ts'
import { Child, listens, until } from './process.ts'

/** A part of the demo, with the process id that its guide prints. */
export interface Part {
  readonly pid: number
  readonly name: string
}

/** `cargo xtask demo --cluster`, known by its output. */
export class Demo {
  readonly #child = new Child(XTASK, ['demo', '--cluster', '--prebuilt'], { TIDINGS_BIN: SERVER }, { detached: true })

  /** Waits until all parts run. */
  async started(): Promise<void> {
    await this.says(/End +Ctrl-C/)
  }

  get output(): string {
    return this.#child.output
  }

  /** URL of its page. */
  get page(): string {
    return this.#told(/Open +(\S+)/)[1]!
  }

  /** URL of nginx, before the nodes. */
  get url(): string {
    return this.#told(/Nodes +(http:\S+),/)[1]!
  }

  get nodes(): string[] {
    const [, one, two] = this.#told(/in front of (\S+) and (\S+)/)
    return [`http://${one}`, `http://${two}`]
  }

  /** The parts, including restarted ones. */
  get parts(): Part[] {
    return [...this.output.matchAll(/kill -9 (\d+) *(.*)/g)].map(([, pid, name]) => ({ pid: Number(pid), name: name! }))
  }

  /** Waits until it has printed these words this often. */
  async says(words: RegExp, times = 1): Promise<void> {
    const all = new RegExp(words, 'g')
    await until(async () => {
      if (!this.#child.running) throw new Error(`The demo has ended:\n${this.output}`)
      return [...this.output.matchAll(all)].length >= times
    }, `the demo to say ${words}`, 60_000)
  }

  /** Sends Ctrl-C; returns the exit code. */
  interrupt(): Promise<number | null> {
    return this.#child.interrupt()
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGTERM')
  }

  /** Parts that still run, among those it has printed. */
  async remains(): Promise<string[]> {
    const urls = [...this.output.matchAll(/(?:http|postgres|redis):\/\/\S+/g)].map(([url]) => url.replace(/,$/, ''))
    const ports = urls.map(url => Number(new URL(url).port))
    const listening = await Promise.all(ports.map(async port => ((await listens(port)) ? [`port ${port}`] : [])))
    const running = this.parts.filter(({ pid }) => isRunning(pid)).map(({ pid }) => `process ${pid}`)
    const folders = (await readdir('/tmp')).filter(name => name.startsWith('tidings-') && name.includes(`-${this.#child.pid}-`))
    return [...listening.flat(), ...running, ...folders]
  }

  #told(words: RegExp): RegExpMatchArray {
    const told = this.output.match(words)
    if (told === null) throw new Error(`The demo does not say ${words}:\n${this.output}`)
    return told
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
