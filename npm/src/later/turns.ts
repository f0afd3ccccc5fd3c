/**
 * Turns of the tabs of one browser at holding a connection. By HTTP/1.1 a browser opens six to one origin, for all its tabs
 * together: held by streams, they leave nothing for the seventh tab and the app's own requests. So two requests that wait may be
 * open at once, a Web Lock for each, and all the others ask for a moment, one at a time.
 */

/** Requests that are held at once. */
const HELD = 2
/** Milliseconds between a tab's short polls, and for which each may wait for news. */
const PAUSE = 4_000
const MOMENT = 250
/** Milliseconds for which a turn is kept for the same tab's next request: polls and reopened streams follow each other. */
const KEPT = 1_000

/** A request that may be made: as this path, until `end` is called. */
export interface Turn {
  readonly path: string
  end(): void
}

/**
 * Turns of one core, at requests to this address. `next` answers when a request may be made, and nothing where the stream it
 * would open is one too many.
 */
export function turns(signal: AbortSignal): (address: string, path: string, over: AbortSignal) => Promise<Turn | undefined> {
  // Held, and not needed just now.
  const kept: { readonly name: string; end(): void }[] = []

  const take = (name: string, options: LockOptions) =>
    new Promise<(() => void) | undefined>((resolve) => {
      navigator.locks
        .request(name, options, (lock) => (lock === null ? resolve(undefined) : new Promise<void>((end) => resolve(end))))
        .catch(() => resolve(undefined))
    })

  const held = async (origin: string) => {
    for (let place = 0; place < HELD; place++) {
      const name = `tidings:held:${origin}:${place}`
      const at = kept.findIndex((one) => one.name === name)
      const before = kept.splice(at, at < 0 ? 0 : 1)[0]
      const end = before?.end ?? (await take(name, { ifAvailable: true }))
      if (end === undefined) continue
      return () => {
        const mine = { name, end }
        kept.push(mine)
        const letGo = () => {
          const at = kept.indexOf(mine)
          if (at < 0) return
          kept.splice(at, 1)
          end()
        }
        if (signal.aborted) letGo()
        else setTimeout(letGo, KEPT)
      }
    }
    return undefined
  }

  return async (address, path, over) => {
    const free = { path, end() {} }
    const waits = /^(sse|poll)\?(?!wait=0(&|$))/.exec(path)
    // Without locks tabs know nothing of each other.
    if (waits === null || globalThis.navigator?.locks === undefined || !isCrowded(address)) return free
    const { origin } = new URL(address)
    const end = await held(origin)
    if (end !== undefined) return { path, end }
    if (waits[1] === 'sse') return undefined
    await pause(over)
    const later = await held(origin)
    if (later !== undefined) return { path, end: later }
    const moment = await take(`tidings:moment:${origin}`, { signal: over })
    return { path: path.replace(/wait=\d+/, `wait=${MOMENT}`), end: moment ?? free.end }
  }
}

/** Whether a browser opens only so many connections there: by HTTP/2 and later, all requests share one. */
function isCrowded(address: string): boolean {
  if (address.startsWith('http:')) return true
  // Empty where the server does not let pages of other origins look.
  const seen = performance.getEntriesByType('resource').filter(({ name }) => name.startsWith(address)) as PerformanceResourceTiming[]
  const protocol = seen.at(-1)?.nextHopProtocol
  return protocol === undefined || protocol === '' || protocol.startsWith('http/1')
}

const pause = (over: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PAUSE)
    over.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
