import { failure, messageOf, TidingsError } from './error.js'
import type { Core, CoreOptions } from './glue.js'
import { host, type HostNeeds } from './host.js'
import type { Loaded } from './loader.js'

/** What a link asks of its client. */
export interface LinkNeeds extends Omit<HostNeeds, 'enter' | 'opened' | 'turn'> {
  load(): Promise<Loaded>
  /** Options of the next core; a core never gets those of another. */
  options(signal: AbortSignal): CoreOptions
  /** A core is there: tell it what it has to know. */
  born(core: Core): void
  /** The core handled something: tell the app. */
  flush(): void
  /** There is no core any more, and what was asked of it has no answer; `again` if a new one is being made. */
  lost(error: TidingsError, again: boolean): void
}

/** The way to the core: loads it when first needed, keeps calls until then, and survives its end. */
export interface Link {
  /** Loads the core if there is none. */
  start(): void
  /** Calls into the core, now or in order once it is there. */
  call(fn: (core: Core) => void): void
  /** Reads from the core, if it is there. */
  read<T>(fn: (core: Core) => T): T | undefined
  alive(): boolean
  close(): void
}

/** A link whose core is not loaded yet. */
export function link(needs: LinkNeeds): Link {
  let core: Core | undefined
  let release = () => {}
  let broke: (trap: unknown) => void = () => {}
  let queue: ((core: Core) => void)[] = []
  let loading = false
  let over = false
  let traps = 0

  /** Every call into the core goes through here: a trap ends that core, and nothing else. */
  const read = <T>(fn: (core: Core) => T): T | undefined => {
    if (core === undefined) return undefined
    try {
      return fn(core)
    } catch (trap) {
      broke(trap)
      return undefined
    }
  }

  const begin = (loaded: Loaded) => {
    if (over) return
    const control = new AbortController()
    const generation = loaded.generation()
    let socket: WebSocket | undefined
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
      socket?.close()
      needs.tickets.abortAll()
      renewed()
    }
    broke = (trap) => {
      release()
      traps += 1
      const again = traps === 1
      needs.lost(failure('internal', 'app', `The core failed: ${messageOf(trap)}. Please report this.`, trap), again)
      if (!again) traps = 0
      queueMicrotask(() => {
        loaded.renew(generation)
        if (again) begin(loaded)
      })
    }
    const world = host({
      ...needs,
      opened: (opened) => (socket = opened),
      enter(fn) {
        if (core === mine) read(fn)
      },
      turn() {
        if (core === mine) read((current) => current.run())
        if (!quiet) needs.flush()
      },
    })
    try {
      core = mine = new loaded.Core(world, needs.options(control.signal))
    } catch (trap) {
      broke(trap)
      return
    }
    read(needs.born)
    const waiting = queue
    queue = []
    for (const fn of waiting) read(fn)
    quiet = false
    needs.flush()
  }

  const start = () => {
    if (core !== undefined || loading || over) return
    loading = true
    needs.load().then(
      (loaded) => {
        loading = false
        begin(loaded)
      },
      (error: TidingsError) => {
        loading = false
        queue = []
        if (!over) needs.lost(error, false)
      },
    )
  }

  return {
    start,
    read,
    call(fn) {
      if (core !== undefined) read(fn)
      else if (!over) {
        queue.push(fn)
        start()
      }
    },
    alive: () => core !== undefined,
    close() {
      over = true
      queue = []
      release()
    },
  }
}
