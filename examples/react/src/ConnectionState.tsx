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

/** Where the connection stands, in a word; why it does not, for who points at it. What needs an answer is the banner's. */
export function ConnectionState() {
  const { status, transport, error } = useConnection()
  return (
    <span className="state" data-status={status} data-transport={transport} title={error?.message} data-testid="connection">
      <span className="visually-hidden">Connection: </span>
      <span className="state-word">{WORDS[status]}</span>
    </span>
  )
}
