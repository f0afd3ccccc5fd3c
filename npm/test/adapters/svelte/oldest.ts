/** Runs the scenarios with the oldest Svelte that the package allows, in place of the newest. */

import { transformWithOxc } from 'vite'
import type { Plugin } from 'vitest/config'

/** The name under which it is installed. */
export const OLDEST = 'svelte-5-20'

// Imported by a computed name: its types declare the module `svelte`, which the newest Svelte
// declares already.
const { compile, compileModule } = (await import(`${OLDEST}/compiler`)) as typeof import('svelte/compiler')

/** The newest Vite plugin does not support this Svelte. The test pages need no more than this. */
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
