import { given } from './globals.js'
import { HIDDEN, OFFLINE, ONLINE, WOKE } from './words.js'

// A page that comes back asks whether the link still lives: sockets that look open may have died while it slept, and
// Chrome closes those of pages in the back/forward cache.
const OF_PAGE = { online: ONLINE, offline: OFFLINE, pagehide: HIDDEN, pageshow: WOKE, focus: WOKE }
const OF_DOCUMENT = { visibilitychange: WOKE, freeze: HIDDEN, resume: WOKE }

/**
 * Tells of the page's life (network, visibility, sleep, the back/forward cache) until `signal` aborts, as far as there
 * is a page: a worker has no document, and Node neither.
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
