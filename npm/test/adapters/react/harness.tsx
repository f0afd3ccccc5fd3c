import { act } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import type { Tidings } from 'tidings'

import { touched, usedClient } from '../fake-client.js'
import { Probe, type Harness, type Mounted, type PageProps } from '../harness.js'
import { Bell, Page } from './Page.js'

/** `strict` renders under StrictMode, where a development build renders and runs effects twice. */
export function reactHarness({ strict }: { strict: boolean }): Harness {
  const pages = new Set<Mounted>()
  const page = (client: Tidings, probe: Probe, props: PageProps): ReactNode => {
    const app = <Page client={client} probe={probe} props={props} />
    return strict ? <StrictMode>{app}</StrictMode> : app
  }

  async function show(begin: (first: ReactNode) => Root, client: Tidings, props: PageProps): Promise<Mounted> {
    const probe = new Probe()
    let root: Root
    await act(async () => void (root = begin(page(client, probe, props))))
    const mounted: Mounted = {
      probe,
      set: next => act(async () => root.render(page(client, probe, next))),
      async unmount() {
        if (pages.delete(mounted)) await act(async () => root.unmount())
      },
    }
    pages.add(mounted)
    return mounted
  }

  return {
    act: fn => act(async () => void (await fn())),
    mount: (client, props = {}) =>
      show(
        first => {
          const root = createRoot(document.body.appendChild(document.createElement('div')))
          root.render(first)
          return root
        },
        client,
        props,
      ),
    async serve(...pages) {
      const client = usedClient()
      return pages.map(props => ({ html: renderToString(page(client, new Probe(), props)), touched: touched(client) }))
    },
    hydrate: (container, client, props = {}) =>
      show(first => hydrateRoot(container, first, { onRecoverableError: problem => console.error(problem) }), client, props),
    withoutProvider: () => renderToString(<Bell probe={new Probe()} />),
    async clean() {
      for (const mounted of pages) await mounted.unmount()
    },
  }
}
