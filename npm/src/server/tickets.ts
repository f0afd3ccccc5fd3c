import { isTidingsError } from '../error.js'
import type { Identify, Identity, Ticket, TidingsServer } from './types.js'

/** What a route answers, before it is put in the host's words. */
interface Answer {
  readonly status: number
  readonly body: object
}

/** What a request says about where it comes from. */
interface Asked {
  readonly method: string
  /** By lower-case name. */
  header(name: string): string | null | undefined
}

type Issue = (who: Identity) => Promise<Ticket>

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** The route for hosts that speak `Request` and `Response`. */
export function ticketHandler(issue: Issue): TidingsServer['ticketHandler'] {
  return (identify) => async (event) => {
    const request = event instanceof Request ? event : event.request
    const { status, body } = await answer(
      { method: request.method, header: (name) => request.headers.get(name) ?? (name === 'host' ? new URL(request.url).host : null) },
      () => identify(event),
      issue,
    )
    return new Response(JSON.stringify(body), { status, headers: HEADERS })
  }
}

/** The route for Express, Fastify and `node:http`. */
export function nodeTicketHandler(issue: Issue): TidingsServer['nodeTicketHandler'] {
  return <Q extends object, R extends object>(identify: Identify<Q>) =>
    async (request: Q, response: R) => {
      const asked = request as NodeRequest
      const { status, body } = await answer(
        {
          method: asked.method ?? '',
          header(name) {
            const value = asked.headers?.[name]
            return typeof value === 'object' ? value[0] : value
          },
        },
        () => identify(request),
        issue,
      )
      const reply = response as NodeResponse
      // Fastify wraps Node's response, and has to be told that it is answered already.
      reply.hijack?.()
      const raw = reply.raw ?? reply
      raw.writeHead?.(status, HEADERS)
      raw.end?.(JSON.stringify(body))
    }
}

interface NodeRequest {
  readonly method?: string
  readonly headers?: Record<string, string | string[] | undefined>
}

interface NodeResponse {
  readonly raw?: NodeResponse
  hijack?(): void
  writeHead?(status: number, headers: object): void
  end?(body: string): void
}

async function answer(asked: Asked, identify: () => Identity | null | Promise<Identity | null>, issue: Issue): Promise<Answer> {
  if (asked.method !== 'POST') return { status: 405, body: { code: 'method_not_allowed' } }
  if (!sameOrigin(asked)) return { status: 403, body: { code: 'origin_refused' } }
  const who = await identify()
  if (who === null || who === undefined) return { status: 401, body: { code: 'unauthorized' } }
  try {
    return { status: 200, body: await issue(who) }
  } catch (error) {
    if (!isTidingsError(error)) throw error
    // The browser tries again later; what went wrong is for the backend's log, not for the page.
    console.error(`tidings: no ticket: ${error.message}`)
    return { status: 503, body: { code: error.code } }
  }
}

/**
 * Whether a browser sent this for a page of this very host. A ticket comes by the user's cookie, so another site's page
 * must not get one. Browsers say where they come from on every POST; what says nothing is no browser.
 */
function sameOrigin({ header }: Asked): boolean {
  const site = header('sec-fetch-site')
  if (site) return site === 'same-origin'
  const origin = header('origin')
  if (!origin) return true
  try {
    return new URL(origin).host === (header('x-forwarded-host') ?? header('host'))
  } catch {
    return false
  }
}
