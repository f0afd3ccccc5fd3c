import type { Connection } from 'tidings'
import { useConnection } from 'tidings/react'

const WORDS: Record<Connection['status'], string> = {
  idle: 'Not started',
  connecting: 'Connecting',
  connected: 'Live',
  waiting: 'Reconnecting',
  offline: 'Offline',
  'signed-out': 'Signed out',
  failed: 'Stopped',
  closed: 'Closed',
}

/** Where the connection stands, in a word. What needs an answer is the banner's. */
export function ConnectionState() {
  const { status } = useConnection()
  return (
    <span className="state" data-status={status} data-testid="connection">
      <span className="visually-hidden">Connection: </span>
      <span className="state-word">{WORDS[status]}</span>
    </span>
  )
}
