// The list of toasts on screen. Toasts.svelte renders it.
import { getContext, setContext } from 'svelte'

export interface Toast {
  readonly id: number
  readonly title: string
  readonly message?: string | undefined
  readonly url?: string | undefined
  readonly tone?: 'bad'
  readonly action?: { readonly label: string; readonly run: () => unknown }
}

interface Toasts {
  readonly shown: readonly Toast[]
  show(toast: Omit<Toast, 'id'>): void
  showError(error: unknown): void
  dismiss(id: number): void
}

const SHOWN_MAX = 4
const KEY = Symbol('toasts')
let lastId = 0

/** Gives the components below a list of toasts. */
export function setToasts() {
  let shown = $state.raw<readonly Toast[]>([])

  function show(toast: Omit<Toast, 'id'>) {
    if (!repeats(toast, shown)) shown = [...shown, { ...toast, id: ++lastId }].slice(-SHOWN_MAX)
  }

  setContext<Toasts>(KEY, {
    get shown() {
      return shown
    },
    show,
    showError(error) {
      const message = error instanceof Error ? error.message : String(error)
      show({ tone: 'bad', title: 'That did not work', message })
    },
    dismiss(id) {
      shown = shown.filter(toast => toast.id !== id)
    },
  })
}

/** Several marks refused for the same reason make one toast. */
function repeats({ tone, message }: Omit<Toast, 'id'>, shown: readonly Toast[]): boolean {
  return tone === 'bad' && shown.some(other => other.tone === tone && other.message === message)
}

export function useToasts(): Toasts {
  const toasts = getContext<Toasts | undefined>(KEY)
  if (toasts === undefined) throw new Error('useToasts needs a setToasts() above it')
  return toasts
}
