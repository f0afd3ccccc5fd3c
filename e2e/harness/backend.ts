import { exampleIn, type Framework } from './paths.ts'
import { Child, freePort } from './process.ts'

export interface BackendOptions {
  /** The framework of the example. */
  readonly framework: Framework
  /** URL at which the backend reaches the Tidings server. */
  readonly serverUrl: string
  /** URL at which browsers reach it. */
  readonly publicUrl: string
  /** Folder of another build of the page. */
  readonly page?: string
  readonly sessionTtlMs?: number
}

/** The example's own backend, which serves the page and makes tickets. */
export class Backend {
  readonly url: string
  readonly #child: Child

  private constructor(port: number, { framework, serverUrl, publicUrl, page, sessionTtlMs }: BackendOptions) {
    this.url = `http://127.0.0.1:${port}`
    this.#child = new Child(process.execPath, [`${exampleIn(framework)}/server.mjs`], {
      PORT: String(port),
      TIDINGS_URL: serverUrl,
      TIDINGS_PUBLIC_URL: publicUrl,
      TIDINGS_API_KEY: 'dev',
      ...(page === undefined ? {} : { PAGE_DIR: page }),
      ...(sessionTtlMs === undefined ? {} : { TIDINGS_SESSION_TTL_MS: String(sessionTtlMs) }),
    })
  }

  static async start(options: BackendOptions): Promise<Backend> {
    const backend = new Backend(await freePort(), options)
    await backend.#child.answers(`${backend.url}/api/config`)
    return backend
  }

  get output(): string {
    return this.#child.output
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGKILL')
  }
}
