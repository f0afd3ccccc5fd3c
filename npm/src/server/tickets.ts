import { isTidingsError, messageOf } from '../error.js'
import { isObject, isText, record } from '../untrusted.js'
import { pages, type Asked } from './pages.js'
import type { Identify, Identified, Identity, RouteOptions, ServerLogger, Ticket, TidingsServer } from './types.js'

/** The answer of a route, before it is converted for the host. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object | undefined
}

/** The parts of the server that the routes need. */
interface Needs {
  issue(who: Identity): Promise<Ticket>
  readonly logger: ServerLogger
}

/** Handles a request; `identify` is the app's function that names its user. */
type Route = (asked: Asked, identify: () => ReturnType<Identify<unknown>>) => Promise<Answer>

/** Whether the framework should handle a value that the app threw. */
type Passes = (thrown: unknown) => boolean

const JSON_BODY = { 'content-type': 'application/json', 'cache-control': 'no-store' }
const PROBLEM_BODY = { ...JSON_BODY, 'content-type': 'application/problem+json' }
/** The most refused origins that are logged, each once. */
const TOLD = 100

/** The route for hosts with `Request` and `Response`. */
export function ticketHandler(needs: Needs): TidingsServer['ticketHandler'] {
  return (identify, options) => {
    const answer = route(needs, isForFramework, options)
    return async (event) => {
      const request = event instanceof Request ? event : event.request
      try {
        const { status, headers, body } = await answer(
          { method: request.method, header: (name) => request.headers.get(name) ?? (name === 'host' ? new URL(request.url).host : null) },
          () => identify(event),
        )
        return new Response(body && JSON.stringify(body), { status, headers })
      } catch (thrown) {
        if (thrown instanceof Response) return thrown
        throw thrown
      }
    }
  }
}

/** The route for Express, Fastify and `node:http`. */
export function nodeTicketHandler(needs: Needs): TidingsServer['nodeTicketHandler'] {
  return <Q extends object, R extends object>(identify: Identify<Q>, options?: RouteOptions) => {
    const answer = route(needs, () => false, options)
    // This must not reject: in Node an unhandled rejection ends the process.
    return async (request: Q, response: R) => {
      const asked = request as NodeRequest
      const { status, headers, body } = await answer(
        {
          method: asked.method ?? '',
          header(name) {
            const value = asked.headers?.[name]
            return typeof value === 'object' ? value[0] : value
          },
        },
        () => identify(request),
      )
      try {
        const reply = response as NodeResponse
        // Fastify wraps Node's response, and must know that the response is taken over.
        reply.hijack?.()
        const raw = reply.raw ?? reply
        // The app may have answered already, with a redirect to the sign-in page for example.
        if (raw.headersSent || raw.writableEnded) return
        const vary = headers['vary'] && raw.getHeader?.('vary')
        raw.writeHead?.(status, vary ? { ...headers, vary: `${String(vary)}, ${headers['vary']}` } : headers)
        raw.end?.(body && JSON.stringify(body))
      } catch (thrown) {
        needs.logger.error(`tidings: the ticket route can't answer: ${messageOf(thrown)}`, thrown)
      }
    }
  }
}

interface NodeRequest {
  readonly method?: string
  readonly headers?: Record<string, string | string[] | undefined>
}

interface NodeResponse {
  readonly raw?: NodeResponse
  readonly headersSent?: boolean
  readonly writableEnded?: boolean
  getHeader?(name: string): unknown
  hijack?(): void
  writeHead?(status: number, headers: object): void
  end?(body?: string): void
}

/**
 * Frameworks throw redirects and the like as responses, as objects that are no errors, or as errors
 * of their own (Next, Hono).
 */
function isForFramework(thrown: unknown): boolean {
  return isObject(thrown) && (!(thrown instanceof Error) || 'digest' in thrown || 'getResponse' in thrown)
}

/**
 * The 4xx status of an error made for the client, as `createError(401)` makes them. The status of
 * another service's error does not count.
 */
function exposed(thrown: unknown): number | undefined {
  const { expose, status } = record(thrown)
  return expose === true && typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}

function route({ issue, logger }: Needs, passes: Passes, { origins }: RouteOptions = {}): Route {
  const { admit } = pages(origins)
  const told = new Set<string>()

  const refuse = ({ header }: Asked): Answer => {
    const origin = header('origin') ?? header('sec-fetch-site') ?? ''
    const detail =
      `A page of ${origin} asked, and this route is on ${header('x-forwarded-host') ?? header('host') ?? 'another host'}. ` +
      `If the page is yours, allow it: ticketHandler(identify, { origins: [${JSON.stringify(origin)}] }).`
    if (!told.has(origin) && told.size < TOLD) {
      told.add(origin)
      logger.error(`tidings: no ticket: ${detail}`)
    }
    return problem(403, 'origin_refused', detail)
  }

  return async (asked, identify) => {
    const shared = admit(asked)
    if (asked.method !== 'POST' && asked.method !== 'OPTIONS') return problem(405, 'method_not_allowed', 'Ask for a ticket with POST.', { allow: 'POST' })
    if (shared === undefined) return refuse(asked)
    if (asked.method === 'OPTIONS') return { status: 204, headers: { ...shared, allow: 'POST' }, body: undefined }
    let who: Identity | null
    try {
      who = named(await identify())
    } catch (thrown) {
      if (passes(thrown)) throw thrown
      const status = exposed(thrown)
      if (status !== undefined) return problem(status, status === 401 ? 'unauthorized' : 'forbidden', 'The app refused to say who asks.', shared)
      logger.error(`tidings: no ticket: the function given to ticketHandler threw: ${messageOf(thrown)}`, thrown)
      return problem(500, 'internal', 'The app failed to say who asks: its log says why.', shared)
    }
    if (who === null) return problem(401, 'unauthorized', 'No user is signed in.', shared)
    try {
      return { status: 200, headers: { ...JSON_BODY, ...shared }, body: await issue(who) }
    } catch (thrown) {
      // The browser tries again later. The reason goes to the backend's log, not to the page.
      logger.error(`tidings: no ticket: ${messageOf(thrown)}`, thrown)
      return problem(503, isTidingsError(thrown) ? thrown.code : 'internal', 'The backend has no ticket: its log says why.', shared)
    }
  }
}

/** The user that the app named, or `null`. */
function named(given: Identified): Identity | null {
  const { user } = given ?? {}
  if (user === undefined || user === null || user === '') return null
  if (!isText(user)) throw new TypeError('`user` must be a user id, or null when no user is signed in')
  return { ...given, user }
}

function problem(status: number, code: string, detail: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...PROBLEM_BODY, ...headers }, body: { type: 'about:blank', title: TITLES[status] ?? 'Refused', status, code, detail } }
}

const TITLES: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}
