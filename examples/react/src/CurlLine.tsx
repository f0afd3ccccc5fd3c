import { useState } from 'react'

import { Icon } from './Icon'

/** The same call for a terminal, ready to paste. */
export function CurlLine({ url, apiKey, user }: { url: string; apiKey: string; user: string }) {
  const [copied, setCopied] = useState(false)
  const body = JSON.stringify({ to: { user }, type: 'message', title: 'Hello from curl' })
  const line = [
    `curl ${url}/v1/notifications`,
    `-H 'Authorization: Bearer ${apiKey}'`,
    `-H 'Content-Type: application/json'`,
    `-d '${body}'`,
  ].join(' \\\n  ')

  async function copy() {
    await navigator.clipboard.writeText(line)
    setCopied(true)
  }

  return (
    <section className="card curl" aria-label="From a terminal">
      <header>
        <h2>From a terminal</h2>
        <button className="button quiet" onClick={() => void copy()} onBlur={() => setCopied(false)}>
          <Icon name={copied ? 'check' : 'copy'} />
          <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
        </button>
      </header>
      <pre tabIndex={0} aria-label="Command">
        <code>{line}</code>
      </pre>
    </section>
  )
}
