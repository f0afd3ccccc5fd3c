import { failure, messageOf, TidingsError } from './error.js'
import type { Core, CoreOptions } from './glue.js'
import { host, type HostNeeds, type Tell } from './host.js'
import { world as worldOf } from './later.js'
import { lifecycle } from './lifecycle.js'
import type { Loaded } from './loader.js'
import { ONLINE, REST_THERE, WOKE } from './words.js'

/** What a link asks of its client. */
export interface LinkNeeds extends HostNeeds {
  load(): Promise<Loaded>
  /** Options of the next core; a core never gets those of another. */
  options(): CoreOptions
  /** Writes down what waits for the core, as far as it has to outlive the page; the answer forgets it. */
  note: (...told: Parameters<Tell>) => () => void
  /** A core is there: tell it what it has to know. */
  born(): void
  /** The core handled something: tell the app. */
  flush(): void
  /** Something went wrong that ends nothing. */
  trouble(error: TidingsError): void
  /** The core can't load for now; it is asked for again at this time of day, or sooner. */
  late(error: TidingsError, at: number): void
  /** There is no core any more, and what was asked of it has no answer; `again` if a new one is being made. */
  lost(error: TidingsError, again: boolean): void
}

/** The way to the core: loads it when first needed, keeps what it is told until then, and survives its end. */
export interface Link {
  /** Loads the core if there is none. */
  start(): void
  /** Tells the core, now or in order once it is there. */
  readonly tell: Tell
  /** Reads from the core, if it is there. */
  read(what: number, show?: number, kinds?: string): string | undefined
  alive(): boolean
  /** The whole core is there. */
  whole(): boolean
  /** What waits for a core is not to be told any more; what of it is written down is left to other pages. */
  forget(): void
  close(): void
}

/** First and longest wait before a part of the core is asked for again, in milliseconds. */
const SOON = 1_000
const PATIENCE = 30_000
/** A core that trapped has a successor, unless it was itself one, made less than this ago, in milliseconds. */
const LIVED = 60_000

/** Both clocks: one that never goes back, and the time of day. */
const clocks = () => [performance.now(), Date.now()] as const

/** Calls `fn` after so many milliseconds, or as soon as the page is looked at or has a network, unless the signal aborts. */
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
  lifecycle((what) => (what === ONLINE || what === WOKE) && go(), control.signal)
  signal.addEventListener('abort', end, { signal: control.signal })
}

/** A link whose core is not loaded yet. */
export function link(needs: LinkNeeds): Link {
  let core: Core | undefined
  let release = () => {}
  let broke: (trap: unknown) => void = () => {}
  let more = () => {}
  let queue: (readonly [told: Parameters<Tell>, forget: () => void])[] = []
  let loading = false
  let over = false
  let whole = false
  let trapped = -LIVED
  let wait = SOON
  let cancel: (() => void) | undefined

  /** Every call into the core goes through here: a trap ends that core, and nothing else. */
  const enter = <T>(fn: (core: Core) => T): T | undefined => {
    if (core === undefined) return undefined
    try {
      return fn(core)
    } catch (trap) {
      broke(trap)
      return undefined
    }
  }

  const pass: Tell = (what, text = '', number = 0, other = 0) => enter((living) => living.tell(what, number, other, text))

  const tell: Tell = (...told) => {
    const [what] = told
    // What the first part of the core does not understand waits, and what comes after it must not overtake it.
    const early = whole || (queue.length === 0 && what <= REST_THERE)
    if (core !== undefined && early) pass(...told)
    else if (!over) {
      queue.push([told, needs.note(...told)])
      // One that did not load is asked for by the clock.
      if (core !== undefined) more()
      else if (cancel === undefined) start()
    }
  }

  const begin = (loaded: Loaded) => {
    if (over) return
    const control = new AbortController()
    const generation = loaded.generation()
    let mine: Core | undefined
    // What a new core thinks before it knows its user is nothing to show.
    let quiet = true
    const renewed = loaded.onRenew(() => {
      release()
      // Later: frames of the old instance may still be on the stack.
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
      const again = now - trapped >= LIVED
      trapped = again ? now : -LIVED
      needs.lost(failure('internal', 'app', `The core failed: ${messageOf(trap)}. Please report this.`, trap), again)
      queueMicrotask(() => {
        loaded.renew(generation)
        if (again) begin(loaded)
      })
    }
    /** What is meant for this core must not reach its successor. */
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
        // Written down elsewhere by now: by the core, or again in this queue.
        forget()
      }
    }
    const fetchRest = async (wait = SOON) => {
      if (core !== mine) return
      try {
        // What the core keeps is written at once only where the file that writes is there.
        await Promise.all([loaded.rest(), worldOf().catch(() => {})])
      } catch (error) {
        if (wait === SOON) needs.trouble(error as TidingsError)
        soon(() => void fetchRest(Math.min(wait * 2, PATIENCE)), wait, control.signal)
        return
      }
      if (core !== mine) return
      whole = true
      pass(REST_THERE)
      drain()
    }
    whole = loaded.whole()
    more = () => {
      more = () => {}
      void fetchRest()
    }
    try {
      core = mine = new loaded.Core(host(needs, { tell: answer, turn, more: () => more() }, control.signal), ...needs.options(), whole)
    } catch (trap) {
      broke(trap)
      return
    }
    lifecycle(answer, control.signal)
    // Whose it is comes before what was asked for them.
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
          // Who asked hears that it failed: no other page is to do it.
          for (const [, forget] of queue.splice(0)) forget()
          needs.lost(error, false)
        }
      },
    )
  }

  return {
    start,
    tell,
    read: (what, show = 0, kinds = '') => enter((living) => living.read(what, show, kinds, ...clocks())),
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
      // Later: it may be at work.
      queueMicrotask(() => last?.free())
    },
  }
}
