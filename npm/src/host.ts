import { messageOf } from './error.js'
import { world } from './later.js'
import type { Ask } from './later/world.js'
import type { Storage } from './storage.js'
import type { Tickets } from './ticket.js'
import type { Tell } from './words.js'
import { ABORT, CLOSED, ENDED, KEEP, KEPT, LOAD, LOADED, OPENED, RECEIVED, REQUEST, STORAGE_FAILED, TICKET, TICKETED, WIPE } from './words.js'

/** What the core calls. None of it throws, and only `turn` calls back into the core. */
export interface Host {
  turn(): void
  url(): string
  opened(socket: WebSocket, transport: number): void
  say(what: number, number: number, text: string): void
}

export type { Tell } from './words.js'

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

/** The world of one core: the app's ticket function, the browser's storage, sockets and requests, as questions and answers. */
export function host(needs: HostNeeds, tell: Tell, signal: AbortSignal): Omit<Host, 'turn'> {
  const { tickets, storage } = needs
  const failed = (error: unknown) => tell(STORAGE_FAILED, messageOf(error))
  let more: Promise<Ask> | undefined
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
      else if (what > WIPE && what < KEEP) needs.heard(what, number, text)
      else {
        // At once too, because what is loaded next is not to find it.
        if (what === WIPE) storage.wipe(text, number > 0).catch(failed)
        more ??= world().then((module) => module.world(storage, failed, needs.url, tell, KEPT, signal))
        more.then(
          (ask) => ask(what - KEEP, number, text),
          (error: unknown) => {
            more = undefined
            if (what < REQUEST) failed(error)
            else tell(ENDED, messageOf(error), number)
          },
        )
      }
    },
  }
}
