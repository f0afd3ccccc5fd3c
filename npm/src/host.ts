import { messageOf } from './error.js'
import { world } from './later.js'
import type { Ask } from './later/world.js'
import type { Storage } from './storage.js'
import type { Tickets } from './ticket.js'
import type { Tell } from './words.js'
import { ABORT, ABORT_REQUEST, CLOSED, ENDED, KEEP, KEPT, LOAD, LOADED, OPEN, OPENED, RECEIVED, REQUEST, REST, SEND, STORAGE_FAILED, TICKET, TICKETED, TIMER, WIPE } from './words.js'

/**
 * The functions that the core calls. None of them throws, and only `turn` calls back into the core.
 */
export interface Host {
  turn(): void
  say(what: number, number: number, text: string): void
}

export type { Tell } from './words.js'

/** The parts of a client that its host needs. */
export interface HostNeeds {
  readonly tickets: Tickets
  readonly storage: Storage
  url(): string
  /** Receives the core's reports for the app. */
  heard(what: number, number: number, text: string): void
}

/** The functions of the core that its host needs. */
export interface HostCore {
  readonly tell: Tell
  /** Runs the work that is due. */
  turn(): void
  /** Loads the rest of the core. */
  more(): void
}

/**
 * WebSocket close code "can't accept this kind of data": as the core reads it, and as pages may
 * send it.
 */
const UNSUPPORTED = 1003
const UNSUPPORTED_BY_PAGE = 3003
/** WebSocket close code "closed abnormally". */
const ABNORMAL = 1006
/** `setTimeout` keeps its delay in 32 signed bits, and fires at once for longer delays. */
const LONGEST = 2 ** 31 - 1

/**
 * Connects one core to the page until the signal aborts: the app's ticket function, the browser's
 * storage, sockets, timers and requests. Calls and answers are numbered operations.
 */
export function host(needs: HostNeeds, { tell, turn, more }: HostCore, signal: AbortSignal): Host {
  const { tickets, storage } = needs
  const failed = (error: unknown) => tell(STORAGE_FAILED, messageOf(error))
  let later: Promise<Ask> | undefined
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let armed = Infinity

  const open = (transport: number) => {
    const opened = (socket = new WebSocket(needs.url()))
    opened.addEventListener('open', () => tell(OPENED, '', transport))
    opened.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') tell(RECEIVED, data, transport)
      else {
        opened.close(UNSUPPORTED_BY_PAGE)
        tell(CLOSED, 'a frame that is not text', transport, UNSUPPORTED)
      }
    })
    opened.addEventListener('close', ({ code, reason }) => tell(CLOSED, reason, transport, code))
  }

  /**
   * Deadlines move with every message, mostly to later. A timer that fires early enough stays: the
   * core then asks for the next one.
   */
  const wake = (at: number) => {
    if (at && at >= armed) return
    clearTimeout(timer)
    armed = at || Infinity
    if (!at) return
    const fire = () => {
      armed = Infinity
      turn()
    }
    timer = setTimeout(fire, Math.min(at - performance.now(), LONGEST))
  }

  signal.addEventListener('abort', () => {
    wake(0)
    socket?.close()
  })

  return {
    turn,
    say(what, number, text) {
      if (what === TIMER) wake(number)
      else if (what === TICKET) tickets.request(number, text || undefined, ([kind, given]) => tell(TICKETED, given, number, kind))
      else if (what === ABORT) tickets.abort(number)
      else if (what === LOAD) storage.load(text).then((saved = '') => tell(LOADED, `${text}\n${saved}`), failed)
      else if (what === REST) more()
      else if (what > ABORT_REQUEST) {
        try {
          if (what === OPEN) open(number)
          else if (what === SEND) socket?.send(text)
          else socket?.close(number)
        } catch {
          // A socket that can't send or close reports that by its `close` event. The browser's own
          // error would not be clearer.
          if (what === OPEN) queueMicrotask(() => tell(CLOSED, 'no socket to this `url`: it is malformed, or the page\'s policy forbids it', number, ABNORMAL))
        }
      } else if (what > WIPE && what < KEEP) needs.heard(what, number, text)
      else {
        // Wipe here too, without waiting for the deferred part: the next load must not find the old
        // data.
        if (what === WIPE) storage.wipe(text, number > 0).catch(failed)
        later ??= world().then((module) => module.world(storage, failed, needs.url, tell, KEPT, signal))
        later.then(
          (ask) => ask(what - KEEP, number, text),
          (error: unknown) => {
            later = undefined
            if (what < REQUEST) failed(error)
            else tell(ENDED, messageOf(error), number)
          },
        )
      }
    },
  }
}
