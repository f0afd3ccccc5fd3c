// The example's backend: the part of an app's own server that works with Tidings, in plain Node.
//
//   POST /api/tidings-ticket   a ticket for the cookie's user, before each connection
//   POST /api/notify           publishes a notification
//   POST /api/session          signs a demo user in or out
//   GET  /api/config           the settings of the page
//   all other paths            the built page from dist/
//
// Any visitor may set the cookie: this is a demo and listens on loopback only.
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

import { createTidingsServer } from 'tidings/server'

import { HttpError, isSameOrigin, readJson, sendJson } from './server/http.mjs'
import { servePage } from './server/page.mjs'
import { channelsOf, rooms } from './server/rooms.mjs'
import { cookieFor, userOf, users } from './server/session.mjs'

const { env } = process
const port = Number(env.PORT ?? 5173)
const url = env.TIDINGS_URL ?? 'http://127.0.0.1:8787'
const apiKey = env.TIDINGS_API_KEY ?? 'dev'
/** The server's address for browsers, if it differs from the one for this backend. */
const publicUrl = env.TIDINGS_PUBLIC_URL ?? url
/**
 * How long a connection lasts before it must be refreshed, in milliseconds. When unset, the
 * server's default applies.
 */
const sessionTtlMs = env.TIDINGS_SESSION_TTL_MS ? Number(env.TIDINGS_SESSION_TTL_MS) : undefined
/** The built page. */
const folder = env.PAGE_DIR ?? fileURLToPath(new URL('dist', import.meta.url))

const types = ['message', 'comment', 'like', 'payment', 'friend_request', 'team_invite', 'system']

const tidings = createTidingsServer({ url, apiKey })
const page = servePage({ folder, publicUrl })

const giveTicket = tidings.nodeTicketHandler(request => {
  const user = userOf(request)
  return user && { user: user.id, info: { name: user.name }, channels: channelsOf(user.id), ...(sessionTtlMs && { sessionTtlMs }) }
})

const routes = {
  'POST /api/tidings-ticket': giveTicket,
  'POST /api/notify': notify,
  'POST /api/session': changeSession,
  'GET /api/config': sendConfig,
}

async function notify(request, response) {
  const user = userOf(request)
  if (user === null) throw new HttpError(401, 'Sign in first.')
  const { to, type, title, message, link } = await readJson(request)
  if (!types.includes(type)) throw new HttpError(422, `The type must be one of ${types.join(', ')}.`)
  if (typeof title !== 'string' || title.trim() === '') throw new HttpError(422, 'A notification needs a title.')
  // With the browser's key, a request repeated after a lost answer sends no second notification.
  const key = request.headers['idempotency-key']
  const stored = await tidings.notify(
    {
      to: to === 'everyone' ? { everyone: true } : { user: user.id },
      type,
      title: title.trim(),
      ...(message ? { message: String(message) } : {}),
      data: link ? { routing: routingOf(String(link)) } : {},
    },
    key ? { key } : {},
  )
  sendJson(response, 201, { stored })
}

/** Converts `/orders/42?tab=receipt` into the deep link of a notification. */
function routingOf(link) {
  if (!link.startsWith('/')) throw new HttpError(422, 'A link starts with "/".')
  const { pathname, searchParams } = new URL(link, 'http://page')
  return { type: 'navigate', path: pathname, params: Object.fromEntries(searchParams) }
}

async function changeSession(request, response) {
  const { user } = await readJson(request)
  if (user !== null && !users.some(({ id }) => id === user)) throw new HttpError(422, 'There is no such user.')
  response.setHeader('Set-Cookie', cookieFor(user))
  sendJson(response, 200, { user })
}

function sendConfig(request, response) {
  sendJson(response, 200, {
    url: publicUrl,
    users,
    rooms: rooms.map(({ id, name, members }) => ({ id, name, members })),
    user: userOf(request)?.id ?? null,
    types,
    // A page sees only the well-known key of a `--dev` server.
    curlKey: apiKey === 'dev' ? apiKey : null,
  })
}

const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, 'http://page')
    const route = routes[`${request.method} ${pathname}`]
    if (route === undefined && pathname.startsWith('/api/')) throw new HttpError(404, 'There is nothing here.')
    if (request.method === 'POST' && !isSameOrigin(request)) throw new HttpError(403, 'Only this page may ask for that.')
    await (route ?? page)(request, response)
  } catch (error) {
    if (response.headersSent) return response.destroy()
    const status = error instanceof HttpError ? error.status : 502
    sendJson(response, status, { message: error.message, code: error.code ?? null })
  }
})

server.listen(port, '127.0.0.1', () => {
  console.log(`The example is at http://127.0.0.1:${server.address().port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0))
