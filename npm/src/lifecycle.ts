import { HIDDEN, OFFLINE, ONLINE, WOKE } from './generated/ops.js'
import { given } from './globals.js'

// A page that comes back checks whether the connection still works: a socket that looks open may
// have failed during sleep, and Chrome closes the sockets of pages in the back/forward cache.
const OF_PAGE = { online: ONLINE, offline: OFFLINE, pagehide: HIDDEN, pageshow: WOKE, focus: WOKE } as const
const OF_DOCUMENT = { visibilitychange: WOKE, freeze: HIDDEN, resume: WOKE } as const

type LifeOp = typeof ONLINE | typeof OFFLINE | typeof HIDDEN | typeof WOKE

/**
 * Reports the page's lifecycle (network, visibility, sleep, the back/forward cache) until `signal`
 * aborts. Workers and Node have no document and report less.
 */
export function lifecycle(tell: (op: LifeOp) => void, signal: AbortSignal): void {
  const document = given('document')
  const hear = (target: Partial<EventTarget> | undefined, ops: Record<string, LifeOp>) => {
    for (const [name, op] of Object.entries(ops)) {
      target?.addEventListener?.(name, () => tell(name === 'visibilitychange' && document?.hidden ? HIDDEN : op), { signal })
    }
  }
  hear(globalThis, OF_PAGE)
  hear(document, OF_DOCUMENT)
}
