import { useServerTime } from 'tidings/react'

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const MINUTE = 60_000

/** The age by the server's clock, so that a wrong clock on this machine has no effect. */
export function Time({ at }: { at: number }) {
  const now = useServerTime({ every: 15_000 }) ?? Date.now()
  const date = new Date(at)
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString('en')}>
      {ago(Math.max(0, now - at))}
    </time>
  )
}

function ago(age: number) {
  if (age < MINUTE) return 'just now'
  if (age < 60 * MINUTE) return relative.format(-Math.floor(age / MINUTE), 'minute')
  if (age < 24 * 60 * MINUTE) return relative.format(-Math.floor(age / (60 * MINUTE)), 'hour')
  return relative.format(-Math.floor(age / (24 * 60 * MINUTE)), 'day')
}
