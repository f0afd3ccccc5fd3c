import { readdir } from 'node:fs/promises'

import { SERVER, XTASK } from './paths.ts'
import { Child, listens, until } from './process.ts'

/** A part of the demo that its text says how to kill. */
export interface Part {
  readonly pid: number
  readonly name: string
}

/** `cargo xtask demo --cluster`, by what it prints. */
export class Demo {
  readonly #child = new Child(XTASK, ['demo', '--cluster', '--prebuilt'], { TIDINGS_BIN: SERVER }, { detached: true })

  /** Waits until everything runs. */
  async started(): Promise<void> {
    await this.says(/End +Ctrl-C/)
  }

  get output(): string {
    return this.#child.output
  }

  /** Where its page is. */
  get page(): string {
    return this.#told(/Open +(\S+)/)[1]!
  }

  /** nginx in front of the nodes. */
  get url(): string {
    return this.#told(/Nodes +(http:\S+),/)[1]!
  }

  get nodes(): string[] {
    const [, one, two] = this.#told(/in front of (\S+) and (\S+)/)
    return [`http://${one}`, `http://${two}`]
  }

  /** What runs, those that came back included. */
  get parts(): Part[] {
    return [...this.output.matchAll(/kill -9 (\d+) *(.*)/g)].map(([, pid, name]) => ({ pid: Number(pid), name: name! }))
  }

  /** Waits until it has said something this often. */
  async says(words: RegExp, times = 1): Promise<void> {
    const all = new RegExp(words, 'g')
    await until(async () => {
      if (!this.#child.running) throw new Error(`The demo has ended:\n${this.output}`)
      return [...this.output.matchAll(all)].length >= times
    }, `the demo to say ${words}`, 60_000)
  }

  /** Ctrl-C; answers the exit code. */
  interrupt(): Promise<number | null> {
    return this.#child.interrupt()
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGTERM')
  }

  /** What is still there of it, as far as it told what there is. */
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
