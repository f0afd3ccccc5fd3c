import { HIDDEN, OFFLINE, ONLINE, WOKE } from './words.js'

const OF_PAGE = ['online', 'offline', 'pagehide', 'pageshow', 'focus']
const OF_DOCUMENT = ['visibilitychange', 'freeze', 'resume']

/**
 * Tells of the page's life (network, visibility, sleep, the back/forward cache) until `signal` aborts, as far as there
 * is a page: a worker has no document, and Node neither.
 */
export function lifecycle(tell: (what: number) => void, signal: AbortSignal): void {
  const page = globalThis as Partial<typeof globalThis>
  const heard = ({ type }: Event) => {
    if (type === 'online') tell(ONLINE)
    else if (type === 'offline') tell(OFFLINE)
    else if (/hide|freeze/.test(type) || (type === 'visibilitychange' && page.document?.hidden)) tell(HIDDEN)
    // A page that comes back asks whether the link still lives: sockets that look open may have died while it slept,
    // and Chrome closes those of pages in the back/forward cache.
    else tell(WOKE)
  }
  for (const name of OF_PAGE) page.addEventListener?.(name, heard, { signal })
  for (const name of OF_DOCUMENT) page.document?.addEventListener(name, heard, { signal })
}
