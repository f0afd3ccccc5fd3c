import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ROOT } from './paths.ts'
import { Child, freePort, listens, until } from './process.ts'

/**
 * The kind of nginx between browser and server:
 * - `shipped`: the configuration in `deploy/nginx`, as it is
 * - `plain`: `proxy_pass` and nothing else, so no WebSocket
 * - `buffering`: holds streams back, and lets no WebSocket through
 * - `impatient`: the shipped one, which cuts connections that are silent for 5 s
 * - `narrow`: the shipped one, with three connections and ten requests per client
 */
export type NginxKind = 'shipped' | 'plain' | 'buffering' | 'impatient' | 'narrow'

/** Path at which nginx names its own kind. */
const KIND = '/nginx-kind'

export const NGINX_PATH = process.env.NGINX_PATH ?? '/usr/sbin/nginx'

/** The real nginx on a free port. It writes only into its own folder. */
export class Nginx {
  readonly port: number
  readonly #folder: string
  readonly #child: Child

  readonly #target: number

  private constructor(port: number, folder: string, target: number) {
    this.port = port
    this.#folder = folder
    this.#target = target
    this.#child = new Child(NGINX_PATH, ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'])
  }

  /** Starts it before the server on `target`. */
  static async start(kind: NginxKind, target: number): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-nginx-'))
    await mkdir(join(folder, 'temp'))
    const port = await freePort()
    await writeFile(join(folder, 'nginx.conf'), await configuration(kind, port, target, folder))
    const nginx = new Nginx(port, folder, target)
    await until(async () => {
      if (!nginx.#child.running) throw new Error(`nginx did not start:\n${await nginx.log()}`)
      return listens(port)
    }, 'nginx to listen')
    return nginx
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Loads another configuration, as an operator would: open connections stay with the old one. */
  async reload(kind: NginxKind): Promise<void> {
    await writeFile(join(this.#folder, 'nginx.conf'), await configuration(kind, this.port, this.#target, this.#folder))
    this.#child.signal('SIGHUP')
    await until(async () => (await fetch(`${this.url}${KIND}`).then(answer => answer.text(), () => '')) === kind, `nginx to be ${kind}`)
  }

  /** Its output and logs, for a test that failed. */
  async log(): Promise<string> {
    const files = ['error.log', 'access.log'].map(file => readFile(join(this.#folder, file), 'utf8').catch(() => ''))
    return [this.#child.output, ...(await Promise.all(files))].join('\n')
  }

  /** The log of requests. */
  async accessLog(): Promise<string> {
    return readFile(join(this.#folder, 'access.log'), 'utf8')
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function configuration(kind: NginxKind, port: number, target: number, folder: string): Promise<string> {
  const [http, server] = kind === 'plain' || kind === 'buffering' ? bare(kind, target) : await shipped(kind, target, folder)
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path temp/${name};`)
  // As root, nginx's workers would run as another user, who can't write into the folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `
    ${user}
    daemon off;
    master_process on;
    worker_processes 1;
    pid nginx.pid;
    error_log error.log warn;
    events { worker_connections 512; }
    http {
      access_log access.log;
      ${temps.join('\n      ')}
      ${http}
      server {
        listen 127.0.0.1:${port};
        location = ${KIND} { return 200 ${kind}; }
        ${server}
      }
    }
  `
}

/** The files of `deploy/nginx`, with another upstream port and log. */
async function shipped(kind: NginxKind, target: number, folder: string): Promise<[string, string]> {
  const read = (name: string) => readFile(`${ROOT}deploy/nginx/${name}`, 'utf8')
  const [http, server] = await Promise.all([read('tidings-http.conf'), read('tidings-server.conf')])
  const changes: Record<string, [string, string][]> = {
    impatient: [
      ['read_timeout 75s', 'read_timeout 5s'],
      ['send_timeout 75s', 'send_timeout 5s'],
    ],
    narrow: [
      ['limit_conn tidings_links 4000', 'limit_conn tidings_links 3'],
      ['burst=8000', 'burst=10'],
    ],
  }
  const log = replaced(server, '/var/log/nginx/tidings.log', join(folder, 'access.log'))
  const there = replaced(http, '127.0.0.1:8787', `127.0.0.1:${target}`)
  return [
    kind === 'narrow' ? replaced(there, 'rate=1000r/s', 'rate=1r/m') : there,
    (changes[kind] ?? []).reduce((text, [what, by]) => replaced(text, what, by), log),
  ]
}

function bare(kind: NginxKind, target: number): [string, string] {
  const held = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;'
  return ['', `location / { proxy_pass http://127.0.0.1:${target}; ${kind === 'buffering' ? held : ''} }`]
}

/**
 * Fails if the text to replace is missing: otherwise the test would run with another configuration
 * than it says.
 */
function replaced(text: string, what: string, by: string): string {
  if (!text.includes(what)) throw new Error(`deploy/nginx has no ${what}`)
  return text.replace(what, by)
}
