import { useEffect, useState } from 'react'
import { useTidingsEvent } from 'tidings/react'

import { Icon } from './Icon'
import { Link } from './location'
import { useToasts, type Toast } from './toast-list'

const SHOWN_MS = 6000

/** Shows new notifications, once per browser, and errors. Playing a sound is left to the app. */
export function Toasts() {
  const { toasts, show, showError, dismiss } = useToasts()
  useTidingsEvent('arrived', ({ title, message, url }) => show({ title, message, url }))
  useTidingsEvent('failed', ({ error }) => showError(error))

  return (
    <div className="toasts" role="status" aria-live="polite" aria-relevant="additions">
      {toasts.map(toast => (
        <ToastView key={toast.id} toast={toast} dismiss={dismiss} />
      ))}
    </div>
  )
}

/** Disappears by itself, but not under the pointer or with the focus in it. */
function ToastView({ toast, dismiss }: { toast: Toast; dismiss: (id: number) => void }) {
  const { id, title, message, url, tone, action } = toast
  const [held, setHeld] = useState(false)
  const close = () => dismiss(id)
  useEffect(() => {
    if (held) return
    const timer = setTimeout(() => dismiss(id), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [held, dismiss, id])

  return (
    <div
      className="toast"
      data-tone={tone}
      role={tone === 'bad' ? 'alert' : undefined}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <div className="toast-text">
        <p className="toast-title">
          {url === undefined ? (
            title
          ) : (
            <Link href={url} onClick={close}>
              {title}
            </Link>
          )}
        </p>
        {message && <p>{message}</p>}
      </div>
      {action && (
        <button
          className="button quiet"
          onClick={() => {
            action.run()
            close()
          }}
        >
          {action.label}
        </button>
      )}
      <button className="icon-button" aria-label={`Dismiss: ${title}`} onClick={close}>
        <Icon name="close" />
      </button>
    </div>
  )
}
