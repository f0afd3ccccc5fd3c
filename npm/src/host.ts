import { loaded, storageFailed, ticketed } from './calls.js'
import { messageOf } from './error.js'
import type { Core } from './glue.js'
import type { Fence, Storage } from './storage.js'
import type { Tickets } from './ticket.js'

/** What the core calls. None of it throws, and only `turn` calls back into the core. */
export interface Host {
  turn(): void
  url(): string | undefined
  opened(socket: WebSocket): void
  ticket(attempt: number, user: string | undefined): void
  abort(attempt: number): void
  load(user: string): void
  save(user: string, fence: string, text: string): void
  wipe(user: string): void
  changed(readable: number): void
  settled(intent: number, stored: string | undefined, error: string | undefined): void
  tell(event: number, json: string): void
  signedOut(discarded: number): void
}

/** What the core has to say to the app. */
export type Heard = Pick<Host, 'changed' | 'settled' | 'tell' | 'signedOut'>

/** What a host needs of its client. */
export interface HostNeeds {
  readonly tickets: Tickets
  readonly storage: Storage
  readonly heard: Heard
  turn(): void
  url(): string | undefined
  opened(socket: WebSocket): void
  /** Calls into the core this host belongs to, while it lives. */
  enter(fn: (core: Core) => void): void
}

/** The world of one core: the app's ticket function and the browser's storage, as questions and answers. */
export function host(needs: HostNeeds): Host {
  const { tickets, storage, enter } = needs
  const failed = (error: unknown) => enter((core) => storageFailed(core, messageOf(error)))
  return {
    ...needs.heard,
    turn: needs.turn,
    url: needs.url,
    opened: needs.opened,
    ticket(attempt, user) {
      tickets.request(attempt, user, ([kind, text]) => enter((core) => ticketed(core, attempt, kind, text)))
    },
    abort: (attempt) => tickets.abort(attempt),
    load(user) {
      storage.load(user).then((text) => enter((core) => loaded(core, user, text)), failed)
    },
    save(user, fence, text) {
      storage.save(user, JSON.parse(fence) as Fence, text).catch(failed)
    },
    wipe(user) {
      storage.wipe(user).catch(failed)
    },
  }
}
