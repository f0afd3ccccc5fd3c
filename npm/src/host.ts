import { chunk } from './chunk.js'
import { messageOf } from './error.js'
import {
  ABORT_CREDENTIAL,
  CACHE_LOADED,
  CREDENTIAL,
  FETCH_CREDENTIAL,
  LOAD_CACHE,
  LOAD_DEFERRED,
  OPEN_TRANSPORT,
  REQUEST,
  RESPONSE_ENDED,
  SEND,
  SET_TIMER,
  STORAGE_FAILED,
  TO_APP,
  TO_WORLD,
  TRANSPORT_CLOSED,
  TRANSPORT_OPENED,
  TRANSPORT_RECEIVED,
  WIPE,
  type AppOp,
  type OutboundOp,
  type Tell,
  type WorldOp,
} from './generated/ops.js'
import { io } from './lazy.js'
import type { Ask } from './lazy/io.js'
import type { Storage } from './storage.js'
import type { Tickets } from './ticket.js'

/**
 * The functions that the core calls. None of them throws, and only `turn` calls back into the core.
 */
export interface Host {
  turn(): void
  say(...op: OutboundOp): void
}

/** The parts of a client that its host needs. */
export interface HostNeeds {
  readonly tickets: Tickets
  readonly storage: Storage
  url(): string
  /** Receives the core's reports for the app. */
  receive(...op: AppOp): void
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
  let loading: Promise<Ask> | undefined
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let armed = Infinity

  const open = (transport: number) => {
    const opened = (socket = new WebSocket(needs.url()))
    opened.addEventListener('open', () => tell(TRANSPORT_OPENED, transport))
    opened.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') tell(TRANSPORT_RECEIVED, transport, data)
      else {
        opened.close(UNSUPPORTED_BY_PAGE)
        tell(TRANSPORT_CLOSED, transport, UNSUPPORTED, 'a frame that is not text')
      }
    })
    opened.addEventListener('close', ({ code, reason }) => tell(TRANSPORT_CLOSED, transport, code, reason))
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
    say(...asked) {
      const [op, number, text] = asked
      if (op & TO_APP) needs.receive(...(asked as AppOp))
      else if (op & TO_WORLD) {
        // Wipe here too, without waiting for the deferred part: the next load must not find the old
        // data.
        if (op === WIPE) storage.wipe(text, number > 0).catch(failed)
        loading ??= io().then((module) => module.io({ storage, chunk, url: needs.url, unsaved: failed }, tell, signal))
        loading.then(
          (ask) => ask(...(asked as WorldOp)),
          (error: unknown) => {
            loading = undefined
            if (op === REQUEST) tell(RESPONSE_ENDED, number, messageOf(error))
            else failed(error)
          },
        )
      } else if (op === SET_TIMER) wake(number)
      else if (op === FETCH_CREDENTIAL) tickets.request(number, text || undefined, (answer) => tell(CREDENTIAL, number, ...answer))
      else if (op === ABORT_CREDENTIAL) tickets.abort(number)
      else if (op === LOAD_CACHE) storage.load(text).then((saved = '') => tell(CACHE_LOADED, text, saved), failed)
      else if (op === LOAD_DEFERRED) more()
      else {
        try {
          if (op === OPEN_TRANSPORT) open(number)
          else if (op === SEND) socket?.send(text)
          else socket?.close(number)
        } catch {
          // A socket that can't send or close reports that by its `close` event. The browser's own
          // error would not be clearer.
          if (op === OPEN_TRANSPORT) queueMicrotask(() => tell(TRANSPORT_CLOSED, number, ABNORMAL, 'no socket to this `url`: it is malformed, or the page\'s policy forbids it'))
        }
      }
    },
  }
}
