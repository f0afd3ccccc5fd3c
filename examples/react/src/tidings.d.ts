import 'tidings'

/** What the backend puts beside a notification's texts. */
interface DemoData {
  readonly routing?: { readonly type: 'navigate'; readonly path: string; readonly params?: Readonly<Record<string, string>> }
}

/** What people say in a room. */
interface RoomMessage {
  readonly text: string
}

declare module 'tidings' {
  interface Register {
    channels: { room: { message: RoomMessage } }
    /** What the ticket says of a user, for others to see. */
    user: { readonly name: string }
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
