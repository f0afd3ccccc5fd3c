// The list of toasts on screen. Toasts.tsx renders it.
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from 'react'

export interface Toast {
  readonly id: number
  readonly title: string
  readonly message?: string | undefined
  readonly url?: string | undefined
  readonly tone?: 'bad'
  readonly action?: { readonly label: string; readonly run: () => unknown }
}

interface Toasts {
  readonly toasts: readonly Toast[]
  show(toast: Omit<Toast, 'id'>): void
  showError(error: unknown): void
  dismiss(id: number): void
}

const SHOWN_MAX = 4
const ToastsContext = createContext<Toasts | null>(null)
let lastId = 0

export function ToastsProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([])
  const show = useCallback((toast: Omit<Toast, 'id'>) => {
    const id = ++lastId
    setToasts(shown => (repeats(toast, shown) ? shown : [...shown, { ...toast, id }].slice(-SHOWN_MAX)))
  }, [])
  const showError = useCallback(
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      show({ tone: 'bad', title: 'That did not work', message })
    },
    [show],
  )
  const dismiss = useCallback((id: number) => setToasts(shown => shown.filter(toast => toast.id !== id)), [])
  const value = useMemo(() => ({ toasts, show, showError, dismiss }), [toasts, show, showError, dismiss])
  return <ToastsContext value={value}>{children}</ToastsContext>
}

/** Several marks refused for the same reason make one toast. */
function repeats({ tone, message }: Omit<Toast, 'id'>, shown: readonly Toast[]): boolean {
  return tone === 'bad' && shown.some(other => other.tone === tone && other.message === message)
}

export function useToasts(): Toasts {
  const toasts = useContext(ToastsContext)
  if (toasts === null) throw new Error('useToasts needs a <ToastsProvider> above it')
  return toasts
}
