import { render } from 'svelte/server'

import { usedClient, touched } from '../fake-client.js'
import { Probe, type PageProps, type Served } from '../harness.js'
import Page from './Page.svelte'

export function serve(pages: readonly PageProps[]): readonly Served[] {
  const client = usedClient()
  return pages.map(props => {
    const { body } = render(Page, { props: { client, probe: new Probe(), props } })
    return { html: body, touched: touched(client) }
  })
}
