/** What the documents call the reader's own: who is signed in. */
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
