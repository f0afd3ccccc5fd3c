import { messageOf } from './error.js'
import type { Ask } from './later/lanes.js'
import type { Cache, Storage } from './storage.js'
import type { Tickets } from './ticket.js'
import { ABORT, CLOSED, KEEP, KEPT, LOAD, LOADED, OPENED, RECEIVED, SAVE, STORAGE_FAILED, TICKET, TICKETED, WIPE } from './words.js'

/** What the core calls. None of it throws, and only `turn` calls back into the core. */
export interface Host {
  turn(): void
  url(): string
  opened(socket: WebSocket, transport: number): void
  say(what: number, number: number, text: string): void
}

/** Tells a core something; what is left out does not matter to it. */
export type Tell = (what: number, text?: string, number?: number, other?: number) => void

/** What a host needs of its client. */
export interface HostNeeds {
  readonly tickets: Tickets
  readonly storage: Storage
  url(): string
  /** What the core has to say to the app. */
  heard(what: number, number: number, text: string): void
}

/** "Can't accept this kind of data", as the core reads it and as pages may send it. */
const UNSUPPORTED = 1003
const UNSUPPORTED_BY_PAGE = 3003

/** The world of one core: the app's ticket function, the browser's storage and sockets, as questions and answers. */
export function host(needs: HostNeeds, tell: Tell, signal: AbortSignal): Omit<Host, 'turn'> {
  const { tickets, storage } = needs
  const failed = (error: unknown) => tell(STORAGE_FAILED, messageOf(error))
  let lanes: Promise<Ask> | undefined
  let disk = Promise.resolve()
  /** One after the other: a row goes after the cache that shows its fact was saved, and nothing comes back after a wipe. */
  const inTurn = (work: () => Promise<void>) => (disk = disk.then(work).catch(failed))
  return {
    url: needs.url,
    opened(socket, transport) {
      socket.addEventListener('open', () => tell(OPENED, '', transport))
      socket.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') tell(RECEIVED, data, transport)
        else {
          socket.close(UNSUPPORTED_BY_PAGE)
          tell(CLOSED, 'a frame that is not text', transport, UNSUPPORTED)
        }
      })
      socket.addEventListener('close', ({ code, reason }) => tell(CLOSED, reason, transport, code))
    },
    say(what, number, text) {
      if (what === TICKET) tickets.request(number, text || undefined, ([kind, given]) => tell(TICKETED, given, number, kind))
      else if (what === ABORT) tickets.abort(number)
      else if (what === LOAD) storage.load(text).then((saved = '') => tell(LOADED, `${text}\n${saved}`), failed)
      else if (what === SAVE) inTurn(() => storage.save(JSON.parse(text) as Cache))
      else if (what === WIPE) {
        // At once too, because what is loaded next is not to find it.
        storage.wipe(text).catch(failed)
        inTurn(() => storage.wipe(text))
      } else if (what < KEEP) needs.heard(what, number, text)
      else {
        lanes ??= import('./later/lanes.js').then((module) => module.lanes(storage.transact, tell, KEPT, signal))
        const asked = lanes
        inTurn(async () => (await asked)(what - KEEP, number, text))
      }
    },
  }
}
