// The signed-in user: a stand-in for an app's own sessions.

const COOKIE = 'tidings_demo_user'

export const users = [
  { id: 'mina', name: 'Mina Park' },
  { id: 'jun', name: 'Jun Mori' },
]

/**
 * The cookie's user, or null. Without a cookie it is the first user, so that the demo shows an
 * inbox at once.
 */
export function userOf(request) {
  const cookies = (request.headers.cookie ?? '').split(/; */)
  const value = cookies.find(cookie => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
  if (value === undefined) return users[0]
  return users.find(({ id }) => id === value) ?? null
}

/** `null` signs out. That is an empty cookie, to tell it from a first visit. */
export function cookieFor(user) {
  return `${COOKIE}=${user ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`
}
