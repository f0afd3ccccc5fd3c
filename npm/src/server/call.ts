import { isTidingsError, messageOf, TidingsError } from '../error.js'

/** The longest time for one attempt, body included, in milliseconds. */
const DEADLINE = 10_000
/** Waits before the second and the third attempt, in milliseconds, unless the server names one. */
const WAITS = [200, 1_000]
/** No call waits longer than this for an attempt, in milliseconds. */
const LONGEST_WAIT = 5_000

/** Makes a request to the server, and repeats it after failures that may pass. */
export type Call = (method: 'GET' | 'POST', path: string, body?: unknown, key?: string) => Promise<unknown>

/**
 * Makes requests with an API key. Every call of this package is safe to repeat: publishing has its
 * `Idempotency-Key`, and the others are idempotent. So after no answer, a 429 or a 5xx there are
 * two more attempts.
 */
export function caller(url: string, apiKey: string): Call {
  const base = url.replace(/\/+$/, '')
  return async (method, path, body, key) => {
    const headers: Record<string, string> = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
    if (key !== undefined) headers['idempotency-key'] = key
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    for (let attempt = 0; ; attempt += 1) {
      const { answer, error, wait } = await once(`${base}${path}`, { method, headers, ...sent })
      if (error === undefined) return answer
      const pause = wait ?? WAITS[attempt]
      if (!error.retry || attempt >= WAITS.length || pause === undefined || pause > LONGEST_WAIT) throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

interface Outcome {
  readonly answer?: unknown
  readonly error?: TidingsError
  /** The wait that the server asks for. */
  readonly wait?: number
}

async function once(url: string, init: RequestInit): Promise<Outcome> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(DEADLINE) })
    const text = await response.text()
    if (response.ok) return { answer: text === '' ? undefined : JSON.parse(text) }
    const after = Number(response.headers.get('retry-after') ?? Number.NaN)
    return { error: problem(response.status, text), ...(Number.isFinite(after) ? { wait: after * 1_000 } : {}) }
  } catch (thrown) {
    if (isTidingsError(thrown)) return { error: thrown }
    const message = `The Tidings server can't be reached at ${new URL(url).origin}: ${messageOf(thrown)}.`
    return { error: new TidingsError({ code: 'network', fault: 'network', retry: true, message, cause: thrown }) }
  }
}

/**
 * The error of a problem+json body. If a proxy answered instead of Tidings, the error is made from
 * the status.
 */
function problem(status: number, text: string): TidingsError {
  let body: { code?: unknown; detail?: unknown; title?: unknown; request_id?: unknown } = {}
  try {
    body = (JSON.parse(text) ?? {}) as typeof body
  } catch {
    // Not JSON: only the status is known.
  }
  const retry = status >= 500 || status === 429 || status === 408
  // `detail` says more than the advice of the code in `title`, which is used if there is no
  // `detail`.
  const words = [body.detail, body.title].find((part) => typeof part === 'string' && part !== '')
  const request = typeof body.request_id === 'string' ? ` (request ${body.request_id})` : ''
  return new TidingsError({
    code: typeof body.code === 'string' ? body.code : retry ? 'storage_unavailable' : 'bad_request',
    fault: status >= 500 ? 'server' : 'app',
    retry,
    message: `${words ?? `The server answered ${status}.`}${request}`,
  })
}
