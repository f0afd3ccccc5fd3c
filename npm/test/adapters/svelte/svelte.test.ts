// @vitest-environment jsdom
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe } from 'vitest'

import { scenarios } from '../scenarios.js'
import { svelteHarness } from './harness.svelte.js'

const execute = promisify(execFile)
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-serve-'))
  await execute(process.execPath, [join(import.meta.dirname, 'bundle.mjs'), join(folder, 'serve.mjs')])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs in a process of its own: there Svelte is the server build, and there is no document. */
async function serve(pages: string): Promise<string> {
  return (await execute(process.execPath, [join(folder, 'serve.mjs'), pages])).stdout
}

describe('Svelte', () => scenarios(svelteHarness(serve)))
