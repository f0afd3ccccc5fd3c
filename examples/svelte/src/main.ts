import { mount } from 'svelte'
import { createTidings } from 'tidings'

import { fetchTicket, loadConfig } from './api'
import App from './App.svelte'
import StartFailed from './StartFailed.svelte'
import './styles/index.css'

const target = document.getElementById('root')!

loadConfig().then(
  config => {
    // One client for the whole page, made outside any component. It connects when the first
    // component reads it.
    const tidings = createTidings({ url: config.url, ticket: ({ signal }) => fetchTicket(signal) })
    mount(App, { target, props: { tidings, config } })
  },
  (error: Error) => mount(StartFailed, { target, props: { error } }),
)
