// The program that `bundle.mjs` bundles: takes the props of some pages as JSON, and prints the
// output of each.
import { render } from 'svelte/server'

import { touched, usedClient } from '../fake-client.js'
import { Probe, type PageProps, type Served } from '../harness.js'
import Page from './Page.svelte'

const client = usedClient()
const pages = JSON.parse(process.argv[2]!) as readonly PageProps[]
const served = pages.map((props): Served => {
  const { body } = render(Page, { props: { client, probe: new Probe(), props } })
  return { html: body, touched: touched(client) }
})
process.stdout.write(JSON.stringify(served))
