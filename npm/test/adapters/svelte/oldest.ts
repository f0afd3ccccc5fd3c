/** Svelte as old as the package allows, in the place of the newest: for the scenarios once more. */

import { transformWithOxc } from 'vite'
import type { Plugin } from 'vitest/config'

/** What it is called here. */
export const OLDEST = 'svelte-5-20'

// By a computed name: its types declare the module `svelte`, which the newest declares already.
const { compile, compileModule } = (await import(`${OLDEST}/compiler`)) as typeof import('svelte/compiler')

/** The newest plugin for Vite does not take it; this is all that the test pages need of one. */
export const oldestSvelte: Plugin = {
  name: 'oldest-svelte',
  enforce: 'pre',
  async transform(code, filename) {
    if (filename.endsWith('.svelte')) return { code: compile(code, { filename, generate: 'client', dev: true }).js.code, map: null }
    if (!filename.endsWith('.svelte.ts')) return null
    const { code: plain } = await transformWithOxc(code, filename)
    return { code: compileModule(plain, { filename, generate: 'client', dev: true }).js.code, map: null }
  },
}
