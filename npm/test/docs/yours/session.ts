/** A stand-in for the reader's own code that returns the signed-in user. */
export async function userOf(request: Request): Promise<string | null> {
  return userOfCookie(request.headers.get('cookie') ?? undefined)
}

export async function userOfCookie(cookie: string | undefined): Promise<string | null> {
  return /user=(\w+)/.exec(cookie ?? '')?.[1] ?? null
}

export async function currentUser(): Promise<string | null> {
  return 'mina'
}

export async function roomsOf(user: string): Promise<readonly { readonly id: string; readonly writer: boolean }[]> {
  return [
    { id: '42', writer: true },
    { id: '43', writer: user === 'jun' },
  ]
}
