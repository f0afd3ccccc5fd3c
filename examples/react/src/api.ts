// The example's own backend, server.mjs.

export interface User {
  readonly id: string
  readonly name: string
}

export interface Room {
  readonly id: string
  readonly name: string
  /** Ids of the users with access. */
  readonly members: readonly string[]
}

export interface Config {
  /** The Tidings server's address for this browser. */
  readonly url: string
  readonly users: readonly User[]
  readonly rooms: readonly Room[]
  /** Id of the signed-in user. */
  readonly user: string | null
  readonly types: readonly string[]
  /** The API key for the `curl` line; null unless the server is a development server. */
  readonly curlKey: string | null
}

export interface Draft {
  readonly to: 'me' | 'everyone'
  readonly type: string
  readonly title: string
  readonly message: string
  readonly link: string
}

export async function loadConfig(): Promise<Config> {
  return (await request('/api/config')) as Config
}

export async function changeSession(user: string | null): Promise<void> {
  await request('/api/session', { user })
}

/** Publishes. With the same key, a repeat after a lost answer sends no second notification. */
export async function notify(draft: Draft, key: string): Promise<{ offset: number; channel: string }> {
  const { stored } = (await request('/api/notify', draft, { 'Idempotency-Key': key })) as {
    stored: readonly [{ offset: number; channel: string }]
  }
  return stored[0]
}

/** A ticket for the SDK; null if the user is signed out. */
export async function fetchTicket(signal: AbortSignal): Promise<string | null> {
  const response = await fetch('/api/tidings-ticket', { method: 'POST', signal })
  if (response.status === 401) return null
  if (!response.ok) throw new Error(`The ticket was refused with ${response.status}.`)
  return ((await response.json()) as { ticket: string }).ticket
}

async function request(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(
    path,
    body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } },
  )
  const answer: unknown = await response.json().catch(() => null)
  if (response.ok) return answer
  const message = (answer as { message?: string } | null)?.message
  throw new Error(message ?? `The example's backend answered ${response.status}.`)
}
