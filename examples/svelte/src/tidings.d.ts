import 'tidings'

/** What the backend puts beside a notification's texts. */
interface DemoData {
  readonly routing?: { readonly type: 'navigate'; readonly path: string; readonly params?: Readonly<Record<string, string>> }
}

declare module 'tidings' {
  interface Register {
    notifications: {
      message: DemoData
      comment: DemoData
      like: DemoData
      payment: DemoData
      friend_request: DemoData
      team_invite: DemoData
      system: DemoData
    }
  }
}
