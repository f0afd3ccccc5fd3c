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

/**
 * The state of the connection in a word, with the error as a tooltip. The banner shows problems
 * that need an action.
 */
export function ConnectionState() {
  const { status, transport, error } = useConnection()
  return (
    <span className="state" data-status={status} data-transport={transport} title={error?.message} data-testid="connection">
      <span className="visually-hidden">Connection: </span>
      <span className="state-word">{WORDS[status]}</span>
    </span>
  )
}
