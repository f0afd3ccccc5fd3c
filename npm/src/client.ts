import type { Channels } from './channels.js'
import { CONNECTION } from './connection.js'
import { closed, failure, invalid, TidingsError, type ErrorFacts } from './error.js'
import * as ops from './generated/ops.js'
import type { InboundOp, JsonText } from './generated/ops.js'
import { given } from './globals.js'
import { inbox } from './inbox.js'
import { intents } from './intents.js'
import { development, logging, arrivals } from './lazy.js'
import { link as linked } from './link.js'
import { listeners } from './listeners.js'
import { load, type Bundled } from './loader.js'
import { notificationQueue } from './notification-queue.js'
import { check, checkUser, must } from './options.js'
import { outbox } from './outbox.js'
import type { Internal, WithInternal, Read } from './internal.js'
import { cell, type Call, type Part } from './readable.js'
import { randomName, settings } from './settings.js'
import { storage } from './storage.js'
import { tickets } from './ticket.js'
import type { Connection, InboxItem, Tidings, TidingsEvents, TidingsOptions } from './types.js'
import { socketUrl } from './url.js'

/** The events that `on` takes. */
const EVENTS: readonly string[] = ['arrived', 'gap', 'failed', 'error'] satisfies (keyof TidingsEvents)[]

declare const process: { readonly env: { readonly NODE_ENV?: string } }

/**
 * Passes a call to the core, now or once it is loaded; `false` if the client is closed or too many
 * calls wait.
 */
type Dispatch = (...told: InboundOp) => boolean

const parse = JSON.parse as <T>(text: JsonText<T>) => T

/**
 * The most calls kept until the whole core is loaded. After that the core has limits of its own.
 */
const KEPT = 1_000

/** Puts a client together: readables and calls are on this side, all decisions are in the core. */
export function client(options: TidingsOptions, bundled: Bundled): Tidings {
  check(options)
  const { logger } = options
  // On a server, rendering needs only the initial snapshots: there the client connects only by
  // connect().
  const browser = given('document') !== undefined
  const promises = intents()
  const leaving = new Set<(result: { discarded: number }) => void>()
  let user = options.user
  let wanted = false
  let held = false
  let over = false
  let kept = 0
  let instance: string | undefined
  // Counts up whenever the core may have new values to read.
  let version = 0

  const call: Call = (fn, value) => {
    try {
      fn(value)
    } catch (thrown) {
      ;(logger ?? console).error('tidings: a callback threw', thrown)
    }
  }
  const events = listeners<TidingsEvents>(call)
  const url = () => {
    try {
      return socketUrl(options.url)
    } catch {
      return ''
    }
  }
  /** The server's address as the app gives it, without any part that may be secret. */
  const base = () => url().replace(/^ws(.*)\/v1\/ws$/, 'http$1')
  const asked = tickets(options.ticket, base)
  const saved = storage(url, options.keepChannels, options.keepDays)
  const error = (facts: ErrorFacts) => new TidingsError(facts.code.startsWith('ticket_') ? { ...facts, cause: asked.cause() } : facts)

  // ---- readables of the app ----

  /**
   * Reads from the core. `null` while there is no core, and for values that only the rest of the
   * core knows.
   */
  const read: Read = (...op) => JSON.parse(link.read(...op) || 'null')

  const owner = { call, onWatch: () => wake(), version: () => version }
  const state = cell(CONNECTION, {
    ...owner,
    read() {
      const raw = read(ops.READ_CONNECTION)
      return raw && { ...raw, error: raw.error && error(raw.error) }
    },
  })
  const list = inbox({
    ...owner,
    read: (show, types) => read(ops.READ_INBOX, show, types),
    mark: (ids, mark) => intend((intent) => dispatch(ops.MARK, intent, mark, ids)),
    more: (show, types) => intend((intent) => dispatch(ops.LOAD_OLDER_ITEMS, intent, show, types)),
  })
  const sent = outbox({
    ...owner,
    read: () => read(ops.READ_OUTBOX),
    retry: (id) => intend((intent) => dispatch(ops.RETRY_FAILED, intent, id)),
    discard: (id) => void dispatch(ops.DISCARD_FAILED, id),
  })

  const say = (connection: Partial<Connection>) =>
    void logging().then(({ log }) => log(options, connection, base()), () => console.warn(connection.error))
  let was = CONNECTION
  const voice: Part = {
    refresh() {},
    notify() {
      const now = state.readable.get()
      if (now.error !== was.error || now.transport !== was.transport) say(now)
      was = now
    },
  }

  const parts: Part[] = [state, list, sent, voice]

  // ---- the core's side ----

  const notifications = notificationQueue({
    call,
    parts,
    read(...[op, number, text]) {
      if (op === ops.CHANGED) {
        version++
        // The parts announce the change themselves.
        return () => {}
      }
      if (op === ops.ARRIVED) {
        const item = list.item(parse(text))
        return () => item && arrived(item)
      }
      if (op === ops.MESSAGE) return (internal.channels as Channels).message(parse(text))
      if (op === ops.GAP) {
        const gap = Object.freeze(parse(text))
        return () => events.emit('gap', gap)
      }
      if (op === ops.INTENT_FAILED) {
        const failed = parse(text)
        return () => events.emit('failed', sent.failed(failed))
      }
      if (op === ops.INTENT_DONE) {
        const stored = text ? parse(text) : undefined
        return () => promises.end(number)?.resolve(stored)
      }
      if (op === ops.SIGNED_OUT) return () => left(number)
      const refused = error(parse(text))
      return op === ops.INTENT_REFUSED ? () => promises.end(number)?.reject(refused) : () => report(refused)
    },
  })

  /**
   * Emits `arrived` once per browser. The claim is stored before the listeners run, so that a page
   * which reloads in a listener does not get the event again.
   */
  const arrived = (item: InboxItem) => {
    const { user: whose, durable } = state.readable.get()
    const tell = () => events.emit('arrived', item)
    if (!whose || !durable || !events.has('arrived')) return tell()
    arrivals().then(({ claim }) => claim(saved.transact, whose, item.id)).then((mine) => mine && tell(), tell)
  }

  /** Resolves all waiting `signOut()` calls. */
  const left = (discarded: number) => {
    user = null
    for (const resolve of leaving) resolve({ discarded })
    leaving.clear()
  }

  /**
   * Drops calls that a user made before the core was loaded: they must not be made for the next
   * user.
   */
  const forget = () => {
    link.forget()
    promises.reject(failure('signed_out', 'app', 'Somebody else signed in.'))
  }

  /** Signs out without a core: deletes the stored data of the user. */
  const leave = () => {
    if (leaving.size === 0) return
    if (typeof user === 'string') saved.wipe(user, true).catch(() => {})
    forget()
    left(0)
  }

  const report = (problem: TidingsError) => {
    say({ error: problem })
    events.emit('error', problem)
  }

  const link = linked({
    tickets: asked,
    storage: saved,
    receive: notifications.receive,
    url,
    flush: notifications.flush,
    load() {
      // Fetch the first ticket while the core loads.
      if (wanted && user !== null && globalThis.navigator?.onLine !== false) asked.ahead(user)
      return load(options.wasm, bundled)
    },
    options: () => settings(options, (instance ??= randomName())),
    trouble: (problem) => report(problem),
    note(...[op, ...fields]) {
      // A change must be stored under its user: another user may sign in before it is sent.
      const whose = user ?? state.readable.get().user
      const outlives = options.storage !== 'memory' && (op === ops.MARK || op === ops.PUBLISH)
      if (outlives && !whose && user !== null) void logging().then(({ unnamed }) => unnamed(options), () => {})
      return outlives && whose ? saved.note(whose, (instance ??= randomName()), ['~' + op, Date.now(), ...fields].join('\n')) : () => {}
    },
    born() {
      // In this order: the core must know the user before it subscribes or connects.
      tellUser()
      internal.channels?.again()
      if (wanted) tellNow(ops.CONNECT)
    },
    late(problem, retryAt) {
      const { attempt } = state.readable.get()
      // Without a core no change can be sent, so a waiting sign-out must not wait for one.
      leave()
      if (wanted) show(user === null ? { status: 'signed-out' } : { status: 'waiting', lost: attempt > 2, error: problem, attempt: attempt + 1, retryAt })
    },
    lost(problem, again) {
      kept = 0
      asked.abortAll()
      promises.reject(problem)
      list.reset()
      version++
      wanted &&= again
      show(again ? { status: 'connecting' } : { status: 'failed', error: problem })
      leave()
      report(problem)
    },
  })

  // ---- the app's side ----

  const tellUser = () => tellNow(ops.SET_USER, user === null, user ?? '')

  /** Shows a connection state that this side knows without a core. */
  const show = (change: Partial<Connection>) => {
    state.put({ ...CONNECTION, user: user ?? null, ...change })
    notifications.flush()
  }

  const want = () => {
    if (over) return
    held = false
    wanted = true
    if (tellNow(ops.CONNECT)) return
    if (user === null) {
      show({ status: 'signed-out' })
      return
    }
    try {
      socketUrl(options.url)
    } catch (error) {
      wanted = false
      show({ status: 'failed', error: error as TidingsError })
      return
    }
    // `born` connects once the core is loaded.
    const { attempt, lost } = state.readable.get()
    show({ status: 'connecting', attempt, lost })
    link.start()
    try {
      // Bundlers replace this expression with the mode of the build.
      if (browser && process.env.NODE_ENV === 'development') void development().then(({ developed }) => developed({ client: tidings, url, user: () => user }, logger ?? console), () => {})
    } catch {
      // Without a bundler there is no `process`: treat the page as a production page.
    }
  }

  /** Connects on the first subscriber, listener or intent, in browsers only. */
  const wake = () => {
    if (browser && !wanted && !held) want()
  }

  const dispatch: Dispatch = (...told) => {
    if (over || (!link.whole() && ++kept > KEPT)) return false
    link.tell(...told)
    return true
  }

  /** Passes a call to the core if it is loaded. */
  const tellNow = (...told: InboundOp) => {
    const alive = link.alive()
    if (alive) link.tell(...told)
    return alive
  }

  /** Makes a call to the core that has an answer. */
  const intend = <T>(send: (intent: number) => boolean) =>
    promises.open<T>((intent) => {
      wake()
      if (!send(intent)) promises.end(intent)?.reject(over ? closed() : invalid('Too many calls while the core loads.'))
    })

  const internal: Internal = { owner: { ...owner, events, read, intend, dispatch, tellNow, parts } }
  const tidings: Tidings & WithInternal = {
    '~internal': (take) => take(internal),
    connection: state.readable,
    inbox: list.inbox,
    outbox: sent.outbox,
    on(event, fn) {
      must(EVENTS.includes(event), 'event', `one of ${EVENTS}`)
      must(typeof fn === 'function', 'fn', 'a function')
      const off = events.add(event, fn)
      wake()
      return off
    },
    setUser(next) {
      checkUser(next)
      // The same user may return after a sign-out: then the core has to ask for a ticket again.
      if (over || (next === user && state.readable.get().status !== 'signed-out')) return
      const named = typeof user === 'string' && next !== user
      user = next
      asked.abortAhead()
      if (tellUser()) return
      if (named) forget()
      if (wanted) want()
    },
    signOut({ unsent = 'send' } = {}) {
      must(unsent === 'send' || unsent === 'discard', 'unsent', "'send' or 'discard'")
      return new Promise((resolve) => {
        leaving.add(resolve)
        const asks = browser || link.alive()
        if (!asks || !dispatch(ops.SIGN_OUT, unsent === 'discard')) left(0)
      })
    },
    connect: want,
    disconnect() {
      held = true
      wanted = false
      if (!tellNow(ops.DISCONNECT) && !over) show({ status: 'idle' })
    },
    retryNow() {
      if (!tellNow(ops.RETRY) && (wanted || state.readable.get().status === 'failed')) want()
    },
    close() {
      if (over) return
      tellNow(ops.CLOSE)
      over = true
      link.close()
      asked.abortAll()
      saved.close()
      promises.reject(closed())
      show({ status: 'closed' })
      left(0)
      events.clear()
    },
    now: () => read(ops.READ_TIME),
    explain: () => link.read(ops.READ_EXPLANATION) || explained(state.readable.get()),
  }
  return tidings
}

/** Explains the state while there is no core, or only its first part. */
function explained({ status, error }: Connection): string {
  if (error !== null) return `${error.message} connect() tries again.`
  if (status === 'signed-out') return 'Signed out: setUser() connects.'
  if (status === 'closed') return closed().message
  return status === 'idle' ? 'Nobody subscribed, or called connect().' : `It is ${status}.`
}
