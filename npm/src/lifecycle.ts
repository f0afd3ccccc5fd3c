import { given } from './globals.js'
import { HIDDEN, OFFLINE, ONLINE, WOKE } from './words.js'

// A page that comes back checks whether the connection still works: a socket that looks open may
// have failed during sleep, and Chrome closes the sockets of pages in the back/forward cache.
const OF_PAGE = { online: ONLINE, offline: OFFLINE, pagehide: HIDDEN, pageshow: WOKE, focus: WOKE }
const OF_DOCUMENT = { visibilitychange: WOKE, freeze: HIDDEN, resume: WOKE }

/**
 * Reports the page's lifecycle (network, visibility, sleep, the back/forward cache) until `signal`
 * aborts. Workers and Node have no document and report less.
 */
export function lifecycle(tell: (what: number) => void, signal: AbortSignal): void {
  const document = given('document')
  const hear = (target: Partial<EventTarget> | undefined, words: Record<string, number>) => {
    for (const [name, word] of Object.entries(words)) {
      target?.addEventListener?.(name, () => tell(name === 'visibilitychange' && document?.hidden ? HIDDEN : word), { signal })
    }
  }
  hear(globalThis, OF_PAGE)
  hear(document, OF_DOCUMENT)
}
