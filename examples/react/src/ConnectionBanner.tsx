import { useEffect, useState } from 'react'
import { useConnection, useTidings } from 'tidings/react'

/**
 * Shows a problem with the connection and its remedy. It shows nothing during brief interruptions.
 */
export function ConnectionBanner({ user }: { user: string | null }) {
  const tidings = useTidings()
  const { status, lost, error, retryAt } = useConnection()

  if (status === 'failed') {
    return (
      <div className="banner" data-tone="bad" role="alert">
        <p>
          <strong>The inbox can’t connect.</strong> {error?.message}{' '}
          {error && (
            <a href={error.docs} target="_blank" rel="noopener noreferrer">
              About “{error.code}”
            </a>
          )}
        </p>
        <button className="button" onClick={tidings.connect}>
          Try again
        </button>
      </div>
    )
  }
  // The app still shows this user, but the backend has ended the session.
  if (status === 'signed-out' && user !== null) {
    return (
      <div className="banner" data-tone="bad" role="alert">
        <p>
          <strong>Your session has ended.</strong> Sign in again to go on.
        </p>
        <button className="button" onClick={tidings.connect}>
          Try again
        </button>
      </div>
    )
  }
  // The live region stays in the page, so that screen readers read out new content.
  return (
    <div role="status" aria-live="polite">
      {status === 'offline' ? (
        <div className="banner">
          <p>
            <strong>You are offline.</strong> This is what was last seen; what you do is sent later.
          </p>
        </div>
      ) : (
        lost && (
          <div className="banner">
            <p>
              <strong>Connection lost.</strong> {retryAt === null ? 'Trying again…' : <Countdown until={retryAt} />}
            </p>
            <button className="button" onClick={tidings.retryNow}>
              Retry now
            </button>
          </div>
        )
      )}
    </div>
  )
}

/** Counts the seconds on screen only: a screen reader would read out each one. */
function Countdown({ until }: { until: number }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => clearInterval(timer)
  }, [])
  return <span aria-hidden="true">Trying again in {Math.max(0, Math.ceil((until - now) / 1000))} s.</span>
}
