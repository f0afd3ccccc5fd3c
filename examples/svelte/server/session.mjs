// Who is signed in: a stand-in for an app's own sessions.

const COOKIE = 'tidings_demo_user'

export const users = [
  { id: 'mina', name: 'Mina Park' },
  { id: 'jun', name: 'Jun Mori' },
]

/** The cookie's user, or null. Who never chose is the first one, so that the demo has something to show at once. */
export function userOf(request) {
  const cookies = (request.headers.cookie ?? '').split(/; */)
  const value = cookies.find(cookie => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
  if (value === undefined) return users[0]
  return users.find(({ id }) => id === value) ?? null
}

/** `null` signs out: an empty cookie, to tell it from a first visit. */
export function cookieFor(user) {
  return `${COOKIE}=${user ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`
}
