import { once } from 'node:events'
import { spawn, type ChildProcess } from 'node:child_process'

/** A virtual display: WebKitGTK's browser has no headless mode. */
export class Display {
  readonly name: string
  readonly #process: ChildProcess

  private constructor(name: string, process: ChildProcess) {
    this.name = name
    this.#process = process
  }

  /** Starts one, with a number that it chooses itself. */
  static async start(): Promise<Display> {
    const args = ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']
    const child = spawn(process.env.XVFB_PATH ?? 'Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`Xvfb ended with ${String(code)} before it was ready`)
    })
    const [number] = (await Promise.race([once(child.stdio[3]!, 'data'), ended])) as [Buffer]
    ended.catch(() => {})
    return new Display(`:${number.toString().trim()}`, child)
  }

  async stop(): Promise<void> {
    const gone = once(this.#process, 'exit')
    this.#process.kill()
    await gone
  }
}
