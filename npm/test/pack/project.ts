/** Fresh projects of an app with the packed tarball installed, on disk until they are removed. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const npm = fileURLToPath(new URL('../../', import.meta.url))

export interface Project {
  readonly folder: string
  /** Runs a Node program in the project, and returns its output. */
  node(...args: readonly string[]): Promise<string>
  /** Runs Vite in the project. */
  vite(...args: readonly string[]): Promise<string>
}

export class Packed {
  readonly #root: string
  readonly #tarball: string

  private constructor(root: string, tarball: string) {
    this.#root = root
    this.#tarball = tarball
  }

  /** Packs the package as it is published. */
  static async make(): Promise<Packed> {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'tidings-pack-')))
    const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', root], { cwd: npm })
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }]
    return new Packed(root, join(root, packed.filename))
  }

  /** A project with these files. `tools` are not under test, so the installed ones are linked. */
  async project(name: string, files: Record<string, string>, tools: readonly string[] = []): Promise<Project> {
    const folder = join(this.#root, name)
    await mkdir(folder)
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
    await execute('npm', ['install', '--no-audit', '--no-fund', '--omit=peer', this.#tarball], { cwd: folder })
    for (const tool of tools) {
      const link = join(folder, 'node_modules', tool)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(npm, 'node_modules', tool), link)
    }
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text)
    const node = async (...args: readonly string[]) => (await execute(process.execPath, args, { cwd: folder })).stdout
    return { folder, node, vite: (...args) => node(join(npm, 'node_modules/vite/bin/vite.js'), ...args, '--logLevel', 'warn') }
  }

  async remove(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }
}
