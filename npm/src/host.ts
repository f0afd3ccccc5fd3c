import { messageOf } from './error.js'
import type { Lanes } from './lanes.js'
import type { Cache, Storage } from './storage.js'
import type { Tickets } from './ticket.js'
import { ABORT, CLAIM, CLOSED, KEEP, LANES_FAILED, LOAD, LOADED, OPENED, RECEIVED, RELEASE, SAVE, STORAGE_FAILED, TICKET, TICKETED, WIPE } from './words.js'

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
export function host(needs: HostNeeds, tell: Tell): Omit<Host, 'turn'> & { release(): void } {
  const { tickets, storage } = needs
  const failed = (error: unknown) => tell(STORAGE_FAILED, messageOf(error))
  let lanes: Promise<Lanes> | undefined
  // One after the other: a row must not be dropped before it is written.
  const outbox = (work: (lanes: Lanes) => Promise<void>) => {
    const done = (lanes ??= import('./lanes.js').then((module) => module.lanes(storage, tell))).then(async (made) => {
      await work(made)
      return made
    })
    lanes = done.catch(() => done)
    done.catch((error: unknown) => tell(LANES_FAILED, messageOf(error)))
  }
  return {
    release() {
      lanes?.then((made) => made.close(), () => {})
    },
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
      else if (what === SAVE) storage.save(JSON.parse(text) as Cache).catch(failed)
      else if (what === WIPE) storage.wipe(text).catch(failed)
      else if (what === KEEP) outbox((made) => made.keep(number, text))
      else if (what === CLAIM) outbox((made) => made.claim(text))
      else if (what === RELEASE) outbox((made) => made.release(text))
      else needs.heard(what, number, text)
    },
  }
}
