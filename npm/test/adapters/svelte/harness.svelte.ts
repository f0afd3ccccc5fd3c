import { flushSync, hydrate, mount, tick, unmount } from 'svelte'
import type { Tidings } from 'tidings'

import { Probe, type Harness, type Mounted, type PageProps, type Served } from '../harness.js'
import Orphan from './Orphan.svelte'
import Page from './Page.svelte'

/**
 * Waits until effects have run and ended subscriptions are released. Svelte takes a few ticks for
 * that.
 */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await tick()
}

/** `render` takes the props of pages as JSON and returns the server's output. */
export function svelteHarness(render: (pages: string) => Promise<string>): Harness {
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
    serve: async (...pages) => JSON.parse(await render(JSON.stringify(pages))) as readonly Served[],
    hydrate: async (container, client, props = {}) => show(hydrate, container, client, props),
    withoutProvider: () => mount(Orphan, { target: document.body }),
    async clean() {
      for (const page of pages) await page.unmount()
    },
  }
}
