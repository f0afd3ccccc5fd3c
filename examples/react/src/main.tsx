import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createTidings } from 'tidings'

import { fetchTicket, loadConfig } from './api'
import { App } from './App'
import { StartFailed } from './StartFailed'
import './styles/index.css'

const root = createRoot(document.getElementById('root')!)

loadConfig().then(
  config => {
    // One client for the whole page, made outside React. It connects when the first component reads
    // it.
    const tidings = createTidings({ url: config.url, ticket: ({ signal }) => fetchTicket(signal) })
    root.render(
      <StrictMode>
        <App tidings={tidings} config={config} />
      </StrictMode>,
    )
  },
  (error: Error) => root.render(<StartFailed error={error} />),
)
