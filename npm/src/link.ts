import { failure, messageOf, TidingsError } from './error.js'
import { DEFERRED, DEFERRED_LOADED, ONLINE, WOKE, type InboundOp, type ReadOp, type Tell } from './generated/ops.js'
import type { Core } from './glue.js'
import { host, type HostNeeds } from './host.js'
import { io as ioOf } from './lazy.js'
import { lifecycle } from './lifecycle.js'
import type { Loaded } from './loader.js'
import type { Settings } from './settings.js'

/** The parts of a client that its link needs. */
export interface LinkNeeds extends HostNeeds {
  load(): Promise<Loaded>
  /** The options of the next core. Each core gets fresh ones. */
  options(): Settings
  /** Stores a waiting call that must outlive the page. The returned function deletes it. */
  note: (...told: InboundOp) => () => void
  /** A core was created: give it the client's state. */
  born(): void
  /** The core did some work: update the app. */
  flush(): void
  /** Reports an error that ends nothing. */
  trouble(error: TidingsError): void
  /** The core can't load now. The next attempt is at this time of day, or sooner. */
  late(error: TidingsError, at: number): void
  /** The core is gone, and its open calls get no answer. `again` if a new core is being made. */
  lost(error: TidingsError, again: boolean): void
}

/**
 * The way to the core: loads it on first use, queues calls until then, and replaces a core that
 * traps.
 */
export interface Link {
  /** Loads the core if there is none. */
  start(): void
  /** Calls the core, now or in order once it is loaded. */
  readonly tell: Tell
  /** Reads from the core if it is loaded. */
  read(...op: ReadOp): string | undefined
  alive(): boolean
  /** Whether the whole core is loaded. */
  whole(): boolean
  /** Drops the queue. Calls that were stored stay for other pages. */
  forget(): void
  close(): void
}

/** The first and longest wait before a part of the core is loaded again, in milliseconds. */
const SOON = 1_000
const PATIENCE = 30_000
/**
 * A core that trapped is replaced, unless the core before it trapped less than this many
 * milliseconds ago.
 */
const LIVED = 60_000

/** Both clocks: the monotonic one and the time of day. */
const clocks = () => [performance.now(), Date.now()] as const

/**
 * Calls `fn` after the wait, or as soon as the page is shown or online, unless the signal aborts.
 */
function soon(fn: () => void, wait: number, signal: AbortSignal) {
  const control = new AbortController()
  const end = () => {
    clearTimeout(timer)
    control.abort()
  }
  const go = () => {
    end()
    fn()
  }
  const timer = setTimeout(go, wait)
  lifecycle((op) => (op === ONLINE || op === WOKE) && go(), control.signal)
  signal.addEventListener('abort', end, { signal: control.signal })
}

/** Creates a link without a core. */
export function link(needs: LinkNeeds): Link {
  let core: Core | undefined
  let release = () => {}
  let broke: (trap: unknown) => void = () => {}
  let more = () => {}
  let queue: (readonly [told: InboundOp, forget: () => void])[] = []
  let loading = false
  let over = false
  let whole = false
  let trapped = -LIVED
  let wait = SOON
  let cancel: (() => void) | undefined

  /** Every call into the core goes through here. A trap ends that core, and nothing else. */
  const enter = <T>(fn: (core: Core) => T): T | undefined => {
    if (core === undefined) return undefined
    try {
      return fn(core)
    } catch (trap) {
      broke(trap)
      return undefined
    }
  }

  const pass: Tell = (...told) => enter((living) => living.tell(...told))

  const tell: Tell = (...told) => {
    // The first part of the core does not know the later operations. They wait, and no later call
    // may overtake them.
    const early = whole || (queue.length === 0 && told[0] < DEFERRED)
    if (core !== undefined && early) pass(...told)
    else if (!over) {
      queue.push([told, needs.note(...told)])
      // After a failed load the timer loads again.
      if (core !== undefined) more()
      else if (cancel === undefined) start()
    }
  }

  const begin = (loaded: Loaded) => {
    if (over) return
    const control = new AbortController()
    const generation = loaded.generation()
    let mine: Core | undefined
    // Snapshots of a new core are not shown before it knows its user.
    let quiet = true
    const renewed = loaded.onRenew(() => {
      release()
      // In a microtask, because frames of the old instance may still be on the stack.
      queueMicrotask(() => begin(loaded))
    })
    release = () => {
      core = undefined
      control.abort()
      needs.tickets.abortAll()
      renewed()
    }
    broke = (trap) => {
      release()
      const [now] = clocks()
      // A second trap soon after the first is final, because the next core would trap again.
      const again = now - trapped >= LIVED
      trapped = again ? now : -LIVED
      needs.lost(failure('internal', 'app', `The core failed: ${messageOf(trap)}. Please report this.`, trap), again)
      // In a microtask, because frames of the trapped instance may still be on the stack.
      queueMicrotask(() => {
        loaded.renew(generation)
        if (again) begin(loaded)
      })
    }
    /** Calls meant for this core must not reach its successor. */
    const answer: Tell = (...told) => {
      if (mine !== undefined && core === mine) tell(...told)
    }
    const turn = () => {
      if (core === mine) enter((living) => living.run(...clocks()))
      if (!quiet) needs.flush()
    }
    const drain = (waiting = queue.splice(0)) => {
      for (const [told, forget] of waiting) {
        answer(...told)
        // By now the core or a later entry of this queue has stored it.
        forget()
      }
    }
    const fetchDeferred = async (wait = SOON) => {
      if (core !== mine) return
      try {
        // Load the storage code with the rest: the core's rows are written at once only if it is
        // loaded.
        await Promise.all([loaded.deferred(), ioOf().catch(() => {})])
      } catch (error) {
        if (wait === SOON) needs.trouble(error as TidingsError)
        soon(() => void fetchDeferred(Math.min(wait * 2, PATIENCE)), wait, control.signal)
        return
      }
      if (core !== mine) return
      whole = true
      pass(DEFERRED_LOADED)
      drain()
    }
    whole = loaded.whole()
    more = () => {
      more = () => {}
      void fetchDeferred()
    }
    try {
      core = mine = new loaded.Core(host(needs, { tell: answer, turn, more: () => more() }, control.signal), whole, ...needs.options())
    } catch (trap) {
      broke(trap)
      return
    }
    lifecycle(answer, control.signal)
    // The core must know the user before it gets the user's calls.
    const waiting = queue.splice(0)
    needs.born()
    drain(waiting)
    quiet = false
    needs.flush()
  }

  const start = () => {
    if (core !== undefined || loading || over) return
    loading = true
    cancel?.()
    cancel = undefined
    needs.load().then(
      (loaded) => {
        loading = false
        wait = SOON
        begin(loaded)
      },
      (error: TidingsError) => {
        loading = false
        if (over) return
        if (error.retry) {
          const control = new AbortController()
          cancel = () => control.abort()
          soon(start, wait, control.signal)
          needs.late(error, Date.now() + wait)
          wait = Math.min(wait * 2, PATIENCE)
        } else {
          // The callers get the error, so no other page may make these calls.
          for (const [, forget] of queue.splice(0)) forget()
          needs.lost(error, false)
        }
      },
    )
  }

  return {
    start,
    tell,
    read: (...op) => enter((living) => living.read(...clocks(), ...op)),
    alive: () => core !== undefined,
    whole: () => core !== undefined && whole,
    forget() {
      queue = []
    },
    close() {
      over = true
      queue = []
      cancel?.()
      const last = core
      release()
      // In a microtask, because the core may be running.
      queueMicrotask(() => last?.free())
    },
  }
}
