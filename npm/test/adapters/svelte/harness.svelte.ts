import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { flushSync, hydrate, mount, settled, unmount } from 'svelte'
import type { Tidings } from 'tidings'

import { Probe, type Harness, type Mounted, type PageProps, type Served } from '../harness.js'
import Orphan from './Orphan.svelte'
import Page from './Page.svelte'

const run = promisify(execFile)
const SERVE = join(import.meta.dirname, 'serve.mjs')

export function svelteHarness(): Harness {
  const pages = new Set<Mounted>()

  function show(begin: typeof mount | typeof hydrate, target: HTMLElement, client: Tidings, first: PageProps): Mounted {
    const probe = new Probe()
    let props = $state.raw(first)
    const component = begin(Page, {
      target,
      props: {
        client,
        probe,
        get props() {
          return props
        },
      },
    })
    flushSync()
    const page: Mounted = {
      probe,
      async set(next) {
        props = next
        await settled()
      },
      async unmount() {
        if (!pages.delete(page)) return
        await unmount(component)
        await settled()
      },
    }
    pages.add(page)
    return page
  }

  return {
    async act(fn) {
      await fn()
      await settled()
    },
    mount: async (client, props = {}) => show(mount, document.body, client, props),
    async serve(...pages) {
      // A process of its own: there Svelte is the server's, and there is no document.
      const { stdout } = await run(process.execPath, [SERVE, JSON.stringify(pages)])
      return JSON.parse(stdout) as readonly Served[]
    },
    hydrate: async (container, client, props = {}) => show(hydrate, container, client, props),
    withoutProvider: () => mount(Orphan, { target: document.body }),
    async clean() {
      for (const page of pages) await page.unmount()
    },
  }
}
