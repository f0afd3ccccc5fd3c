/**
 * Takes turns at holding a connection, for all tabs of one browser. With HTTP/1.1 a browser opens
 * six connections to one origin, for all tabs together. If streams hold all of them, the seventh
 * tab and the app's own requests wait. So two waiting requests may be open at once, with a Web Lock
 * for each, and all other tabs poll briefly, one at a time.
 */

/** How many waiting requests are held at once. */
const HELD = 2
/** The pause between a tab's short polls, and how long each may wait for news, in milliseconds. */
const PAUSE = 4_000
const MOMENT = 250
/**
 * How long a turn stays with the same tab for its next request, in milliseconds: polls and reopened
 * streams follow each other.
 */
const KEPT = 1_000

/** A request that may be made now with this path. `end` must be called after it. */
export interface StreamSlot {
  readonly path: string
  end(): void
}

/**
 * Turns of one core. The function resolves when a request to the address may be made, and with
 * `undefined` where it would open one stream too many.
 */
export function streamSlots(signal: AbortSignal): (address: string, path: string, over: AbortSignal) => Promise<StreamSlot | undefined> {
  // Turns that are held, but have no request at the moment.
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
    // Without locks the tabs can't take turns.
    if (waits === null || globalThis.navigator?.locks === undefined || !streamsAreTaken(address)) return free
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

/**
 * Whether the browser limits its connections to this address: with HTTP/2 and later all requests
 * share one.
 */
function streamsAreTaken(address: string): boolean {
  if (address.startsWith('http:')) return true
  // Empty if the server does not let pages of other origins read the timing.
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
