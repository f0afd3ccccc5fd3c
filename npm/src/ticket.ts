import { messageOf } from './error.js'
import { isText, record } from './untrusted.js'
import { FAILURE, NOBODY, TICKET, TOKEN, type Given } from './generated/ops.js'
import type { TidingsOptions } from './types.js'

/**
 * The longest run of the app's ticket function. On a fast link the core waits less, aborts the
 * function and reports it. This deadline ends calls that the core did not make itself.
 */
const DEADLINE = 60_000

/** Stands for the number of an attempt that the core has not made yet. */
const AHEAD = -1

/** The result of a ticket function, as the core takes it. */
export type Answer = readonly [given: Given, text: string]

/** The app's ticket function with its deadline. */
export interface Tickets {
  /** Asks for a ticket while the core loads, because the core will soon ask for the same. */
  ahead(user: string | undefined): void
  /** Asks for a ticket; `answer` is called once, unless aborted. */
  request(attempt: number, user: string | undefined, answer: (answer: Answer) => void): void
  abort(attempt: number): void
  /** Aborts the call of `ahead`: it was for another user. */
  abortAhead(): void
  abortAll(): void
  /** The last error of the function: the `cause` of the error that the app sees. */
  cause(): unknown
}

interface Asked {
  readonly user: string | undefined
  readonly answer: Promise<Answer | undefined>
  abort(): void
}

/** Wraps the app's ticket function. */
export function tickets(ask: TidingsOptions['ticket'], url: () => string): Tickets {
  const running = new Map<number, Asked>()
  let count = 0
  let thrown: unknown

  const failed = (error: unknown): Answer => {
    thrown = error
    return [FAILURE, messageOf(error)]
  }

  const start = (user: string | undefined): Asked => {
    const control = new AbortController()
    const attempt = ++count
    const abort = () => control.abort()
    // An async function also catches an error before the first await.
    const call = async () => read(await ask({ user, attempt, signal: control.signal, url: url() }))
    const timer = setTimeout(() => {
      thrown = undefined
      abort()
    }, DEADLINE)
    const answer = call()
      .catch((error: unknown) => (control.signal.aborted ? undefined : failed(error)))
      .finally(() => clearTimeout(timer))
    return { user, answer, abort }
  }

  const abort = (attempt: number) => {
    running.get(attempt)?.abort()
    running.delete(attempt)
  }

  return {
    ahead(user) {
      if (!running.has(AHEAD)) running.set(AHEAD, start(user))
    },
    request(attempt, user, answer) {
      if (running.get(AHEAD)?.user !== user) abort(AHEAD)
      const asked = running.get(AHEAD) ?? start(user)
      running.delete(AHEAD)
      running.set(attempt, asked)
      void asked.answer.then((given) => {
        if (given && running.delete(attempt)) answer(given)
      })
    },
    abort,
    abortAhead: () => abort(AHEAD),
    abortAll() {
      for (const attempt of running.keys()) abort(attempt)
    },
    cause: () => thrown,
  }
}

function read(given: unknown): Answer {
  if (given === null) return [NOBODY, '']
  if (isText(given)) return [TICKET, given]
  const { token } = record(given)
  if (isText(token)) return [TOKEN, token]
  return [FAILURE, 'it must return a ticket, { token }, or null when signed out']
}
