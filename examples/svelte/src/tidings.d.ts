import 'tidings'

/** The payload that the backend adds to a notification's texts. */
interface DemoData {
  readonly routing?: { readonly type: 'navigate'; readonly path: string; readonly params?: Readonly<Record<string, string>> }
}

/** A message in a room. */
interface RoomMessage {
  readonly text: string
}

declare module 'tidings' {
  interface Register {
    channels: { room: { message: RoomMessage } }
    /** The `info` of a ticket, which other users see. */
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
