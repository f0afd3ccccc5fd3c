// Generated from crates/protocol by `cargo xtask types`. Don't edit: change the Rust types.

/** The protocol version that a client states in `connect`. */
export const VERSION = 1

/** Any JSON value; the app decides its form. */
export type Json = unknown

/** `namespace:name`. */
export type Channel = `${string}:${string}`

/** Identity of a channel's log, compared for equality only. */
export type Epoch = string

/** A server's proof of the first offset that a user may read in a channel; opaque. */
export type Proof = string

/** How a client reacts to an error or a close. */
export type Retry = "backoff" | "never" | "ticket"

/** Why a range is missing. */
export type GapReason = "epoch" | "retention"

/** A position in a channel's log: the last record that the client has. */
export type Cursor = {
  /** Identity of the log. */
  epoch: Epoch
  /** Last offset the client has folded; 0 before the first. */
  offset: number
  /** The proof of the last `subscribed`, if it had one. */
  proof?: Proof
}

/** Where a subscription starts. */
export type Since = Cursor | "first" | "now"

/** The client library; shown in metrics and logs, never trusted. */
export type ClientInfo = {
  /** Such as `tidings-js`. */
  name?: string
  /** Such as `0.1.0`. */
  version?: string
}

/** Epochs that a mark's offsets belong to. A mark with another epoch is refused for good. */
export type Epochs = {
  /** Epoch of the user's inbox channel. */
  inbox?: Epoch
  /** Epoch of `system:all`. */
  system?: Epoch
}

/** Unread and unseen items of one channel. */
export type Tally = {
  /** Items whose `read` is false and that are not archived. */
  unread: number
  /** Items whose `seen` is false and that are not archived. */
  unseen: number
}

/** Messages to everyone that a user has not read or seen, counted up to offset `at`.  A client shows these counts plus one for each record of `system:all` above `at`. */
export type SystemCounts = {
  /** Unread messages to everyone, up to `at`. */
  unread: number
  /** Unseen messages to everyone, up to `at`. */
  unseen: number
  /** The offset in `system:all` up to which the counts hold. */
  at: number
}

/** Counts right after an inbox record, computed in that record's transaction. */
export type Counts = {
  /** Counts of the user's own inbox channel. */
  inbox: Tally
  /** Counts of `system:all`, after this user's marks. */
  system: SystemCounts
}

/** One item with its state, as a `snapshot` and a `page` hold it. */
export type Item = {
  /** `inbox:{user}` or `system:all`. */
  channel: Channel
  /** Its offset in that channel. */
  offset: number
  /** Notification id (UUIDv7). */
  id: string
  /** Notification type, such as `payment`. */
  kind: string
  /** When it was stored, in milliseconds since 1970. */
  at: number
  /** Whether it was on screen. */
  seen: boolean
  /** Whether the user has read it. */
  read: boolean
  /** Whether the user has archived it. */
  archived: boolean
  /** The notification's body: `{notification_id, type, title, message?, url?, data?, created_at}`. */
  data: Json
}

/** The states a mark sets. An absent field stays as it is; `false` takes the state back. */
export type MarkSet = {
  /** On screen. */
  seen?: boolean
  /** Read; this also sets `seen`. */
  read?: boolean
  /** Archived. */
  archived?: boolean
}

/** Single items that a mark covers, by offset. */
export type Offsets = {
  /** Offsets in the user's inbox channel. */
  inbox?: Array<number>
  /** Offsets in `system:all`. */
  system?: Array<number>
}

/** All items up to and including these offsets; the server limits them to the tops. */
export type UpTo = {
  /** In the user's inbox channel. */
  inbox?: number
  /** In `system:all`. */
  system?: number
}

/** Limits of this connection. */
export type SessionLimits = {
  /** Largest client message, in bytes. */
  message_bytes: number
  /** Most channels subscribed at once. */
  subscriptions: number
  /** Most items of one `page`. */
  page: number
}

/** A user as other users see it. */
export type Member = {
  /** User id. */
  user: string
  /** `info` of the user's credential, at most 1 KiB. */
  info?: Json
}

/** A record in a page. Newer servers may list other types: ignore unknown ones. */
export type Posted = ServerMessages["message"] | ServerMessages["notification"]

/** Messages from client to server, by their `type`. */
export interface ClientMessages {
  /** The first message of a connection: credential, and cursors to resume from. At most 64 KiB. */
  connect: {
    type: "connect"
    id?: number
    /** Protocol version, `VERSION`. */
    version: number
    /** A one-time ticket. At most one of `ticket`, `token` and `session_token`; none of them if a cookie or a header carries the credential. */
    ticket?: string
    /** A JWT. */
    token?: string
    /** The session token of `connected` or `refreshed`. */
    session_token?: string
    /** Random for each page: a new connection of the same instance replaces the older one. 1–64 characters. */
    instance?: string
    /** Whether several messages may share a frame, separated by `\n`. */
    batch?: boolean
    /** Library name and version. */
    client?: ClientInfo
    /** Channels to resume. The inbox and `system:all` are subscribed in any case. */
    cursors?: { [key in Channel]: Cursor }
  }
  /** Asks for a `pong`. */
  ping: {
    type: "ping"
    id?: number
  }
  /** Subscribes to a channel. */
  subscribe: {
    type: "subscribe"
    id?: number
    channel: Channel
    /** Absent: a snapshot for the inbox and `system:all`, `now` for other channels. */
    since?: Since
  }
  /** Ends a subscription. */
  unsubscribe: {
    type: "unsubscribe"
    id?: number
    channel: Channel
  }
  /** Appends a message to a channel. */
  publish: {
    type: "publish"
    id?: number
    channel: Channel
    /** The outbox lane, 1–64 characters. With `seq`, a repeated message gets the answer of the first one. */
    client_id?: string
    /** Position in the lane, counted from 1 without gaps. */
    seq?: number
    data: Json
  }
  /** Sends a short event, such as typing, to the current subscribers; never logged. */
  signal: {
    type: "signal"
    id?: number
    channel: Channel
    name: string
    data?: Json
  }
  /** Sets the state of inbox items. Either `offsets` or `up_to`. */
  mark: {
    type: "mark"
    id?: number
    client_id?: string
    seq?: number
    epochs: Epochs
    offsets?: Offsets
    up_to?: UpTo
    set: MarkSet
  }
  /** Sets a value of a room's state. */
  set: {
    type: "set"
    id?: number
    channel: Channel
    client_id?: string
    seq?: number
    key: string
    /** Expected version; refused if another version was set meanwhile. */
    version?: number
    data: Json
  }
  /** Asks for a page of a channel's log, or of the inbox's items with their states. */
  history: {
    type: "history"
    id?: number
    channel: Channel
    /** Offsets below this one, newest first. At most one of `before` and `after`; with neither, the newest. */
    before?: number
    /** Offsets above this one, oldest first. */
    after?: number
    /** 1–100, default 50. */
    limit?: number
  }
  /** Asks for the members that are in a channel now. */
  presence: {
    type: "presence"
    id?: number
    channel: Channel
  }
  /** Extends the connection with a new credential of the same user. */
  refresh: {
    type: "refresh"
    id?: number
    ticket?: string
    token?: string
  }
  /** Uses up a `seq` whose intent can't be sent. */
  void: {
    type: "void"
    id?: number
    client_id: string
    seq: number
  }
}

/** A message from client to server. */
export type ClientMessage = ClientMessages[keyof ClientMessages]

/** Messages from server to client, by their `type`. */
export interface ServerMessages {
  /** The connection is accepted. */
  connected: {
    type: "connected"
    id?: number
    user_id: string
    /** Id of this session, for revocations and for the client's POST requests. */
    session: string
    /** Opens another connection until `expires_at`. It is a bearer token: keep it in memory only. */
    session_token: string
    /** A text for a developer who reads the wire. */
    message: string
    /** The server's protocol version. */
    version: number
    /** How often the client should ping. */
    heartbeat_ms: number
    /** How long the client should wait for an answer. */
    timeout_ms: number
    /** Server time, milliseconds since 1970. */
    now: number
    /** When the credential expires, milliseconds since 1970. */
    expires_at?: number
    limits: SessionLimits
  }
  /** Answers `ping`. */
  pong: {
    type: "pong"
    id?: number
    /** Server time, milliseconds since 1970. */
    now: number
    /** Tops of the live subscriptions that changed since the last `pong`. */
    tops?: { [key in Channel]: number }
  }
  /** A subscription begins. */
  subscribed: {
    type: "subscribed"
    id?: number
    channel: Channel
    epoch: Epoch
    /** Oldest offset that is still stored (`top + 1` if there is none). */
    first: number
    /** Newest offset. */
    top: number
    /** Records after this offset follow, or after the offset of the `snapshot`, if one follows. */
    offset: number
    /** Whether the server resumed from the client's cursor without a gap. */
    recovered: boolean
    /** For a user without the right `history`. The client sends it with its cursor; it proves from which offset on the user may read. */
    proof?: Proof
  }
  /** A subscription ended, at the client's wish or with a `code`. */
  unsubscribed: {
    type: "unsubscribed"
    id?: number
    channel: Channel
    /** Absent when the client asked for it. */
    code?: string
  }
  /** The inbox at `offset` and `system.offset`. The client folds the records after them. */
  snapshot: {
    type: "snapshot"
    id?: number
    /** The user's inbox channel. */
    channel: Channel
    epoch: Epoch
    offset: number
    /** Epoch and offset of `system:all`. */
    system: Cursor
    counts: Counts
    /** Whether there are older inbox items than the listed ones. */
    more: boolean
    /** Whether there are older messages to everyone than the listed ones. */
    system_more: boolean
    /** Inbox and `system:all` together, newest first, by (`at`, channel, offset). */
    items: Array<Item>
  }
  /** A notification: a record of an inbox or of `system:all`. */
  notification: {
    type: "notification"
    channel: Channel
    offset: number
    id: string
    kind: string
    at: number
    /** In an inbox: the counts right after this record. */
    counts?: Counts
    data: Json
  }
  /** A message: a record of a room, chat or topic. */
  message: {
    type: "message"
    channel: Channel
    offset: number
    id: string
    at: number
    /** Absent if a backend published it. */
    from?: Member
    client_id?: string
    seq?: number
    data: Json
  }
  /** A mark that was applied: an inbox record. */
  marked: {
    type: "marked"
    channel: Channel
    offset: number
    id: string
    at: number
    client_id?: string
    seq?: number
    offsets?: Offsets
    up_to?: UpTo
    set: MarkSet
    counts: Counts
  }
  /** Items up to `up_to` were removed: an inbox record. */
  trimmed: {
    type: "trimmed"
    channel: Channel
    offset: number
    id: string
    at: number
    /** Inbox offset up to which items were removed. */
    up_to: number
    counts: Counts
  }
  /** Answers `history`. */
  page: {
    type: "page"
    id?: number
    channel: Channel
    epoch: Epoch
    /** The offset at which the page was read: of the inbox for items (also for those of `system:all`), else of the channel. */
    offset: number
    /** Whether there is more in the requested direction. */
    more: boolean
    /** Items of an inbox or of `system:all`. */
    items?: Array<Item>
    /** Records of other channels. */
    messages?: Array<Posted>
  }
  /** Answers `presence`. */
  members: {
    type: "members"
    id?: number
    channel: Channel
    members: Array<Member>
  }
  /** Answers `refresh`. */
  refreshed: {
    type: "refreshed"
    id?: number
    session_token: string
    expires_at?: number
    /** Server time. A client measures by it how long the new credential lasts. */
    now?: number
  }
  /** The client may not see offsets `from..=to`: it goes on after `to`. */
  skip: {
    type: "skip"
    channel: Channel
    from: number
    to: number
  }
  /** Offsets `from..=to` are lost for good. */
  gap: {
    type: "gap"
    channel: Channel
    from: number
    to: number
    why: GapReason
  }
  /** A `signal` of another member. */
  signal: {
    type: "signal"
    channel: Channel
    name: string
    from: Member
    data?: Json
  }
  /** A member came. */
  join: {
    type: "join"
    channel: Channel
    member: Member
  }
  /** A member left. */
  leave: {
    type: "leave"
    channel: Channel
    member: Member
  }
  /** A value of a room's state was set: a record. */
  state: {
    type: "state"
    channel: Channel
    offset: number
    id: string
    at: number
    from?: Member
    key: string
    version: number
    data: Json
  }
  /** An intent is stored. */
  ack: {
    type: "ack"
    id?: number
    client_id?: string
    seq?: number
    channel: Channel
    epoch: Epoch
    /** Offset of the record, or the channel's top if the intent changed nothing. */
    offset: number
    /** Id of the record, if there is one. */
    record_id?: string
    /** Whether an earlier send of the same intent got this answer. */
    duplicate?: boolean
  }
  /** A message was refused. On a connection that closes: the reason. */
  error: {
    type: "error"
    id?: number
    client_id?: string
    seq?: number
    channel?: Channel
    /** Stable name, see `ErrorCode`; newer servers may send others. */
    code: string
    /** For the developer: the party at fault and the remedy. */
    message: string
    retry: Retry
    retry_after_ms?: number
    /** With the code `sequence`: the `seq` that the lane expects. */
    expected?: number
  }
  /** The credential expires soon: send `refresh`. */
  expiring: {
    type: "expiring"
    /** Milliseconds since 1970. */
    expires_at: number
  }
  /** The server goes away: reconnect at a random time within the window. */
  goaway: {
    type: "goaway"
    within_ms: number
  }
}

/** A message from server to client. */
export type ServerMessage = ServerMessages[keyof ServerMessages]

/** Every error code: the party at fault, the client's reaction, the close code, the HTTP status, and advice. */
export const ERROR_CODES = {
  unauthorized: { fault: 'app', retry: 'ticket', close: 4001, status: 401, advice: "Send a valid ticket, token, session token or API key." },
  ticket_invalid: { fault: 'app', retry: 'ticket', close: 4001, status: 401, advice: "The ticket is unknown, spent or too old: get a new one for each attempt." },
  expired: { fault: 'app', retry: 'ticket', close: 4002, status: 401, advice: "The credential has ended: get a new ticket, or refresh before it ends." },
  revoked: { fault: 'app', retry: 'ticket', close: 4003, status: 401, advice: "The backend revoked the credential: the user has to sign in again." },
  user_mismatch: { fault: 'app', retry: 'never', close: 4104, status: 403, advice: "The credential is another user's: get a ticket of the signed-in user." },
  forbidden: { fault: 'app', retry: 'never', close: 4103, status: 403, advice: "The credential does not grant this: add a grant to the ticket's or token's `channels`." },
  origin_refused: { fault: 'app', retry: 'never', close: null, status: 403, advice: "Add the page's origin to the server's `origins`." },
  bad_request: { fault: 'app', retry: 'never', close: 4109, status: 400, advice: "The message or request is malformed or in the wrong place." },
  unknown_type: { fault: 'app', retry: 'never', close: null, status: 400, advice: "The server does not know this message type: it may be older than the client." },
  unknown_channel: { fault: 'app', retry: 'never', close: null, status: 404, advice: "No channel has this name: a name is `namespace:name`." },
  version: { fault: 'app', retry: 'never', close: 4126, status: 400, advice: "The server does not speak this protocol version: update the client or the server." },
  too_large: { fault: 'app', retry: 'backoff', close: 1009, status: 413, advice: "Send less: the message is over the size limit and was dropped." },
  invalid_utf8: { fault: 'app', retry: 'backoff', close: 1007, status: 400, advice: "Send UTF-8 text." },
  subscriptions: { fault: 'app', retry: 'never', close: null, status: 400, advice: "Leave a channel first: the connection holds as many as the server allows." },
  sequence: { fault: 'app', retry: 'backoff', close: null, status: 409, advice: "The lane has a hole before this `seq`: move unanswered intents to a new lane." },
  epoch_mismatch: { fault: 'server', retry: 'never', close: null, status: 409, advice: "The offsets are of a log that was replaced: load the list again." },
  conflict: { fault: 'app', retry: 'never', close: null, status: 409, advice: "The value was set meanwhile: read it and set it again." },
  slow_consumer: { fault: 'network', retry: 'backoff', close: 4208, status: 503, advice: "The connection did not take its data in time; it resumes where it was." },
  timeout: { fault: 'network', retry: 'backoff', close: 4210, status: 408, advice: "Send `connect` in time, and answer pings." },
  flood: { fault: 'app', retry: 'backoff', close: 4229, status: 429, advice: "Send less often." },
  full: { fault: 'app', retry: 'backoff', close: null, status: 429, advice: "Too many of these exist already: try again when some are gone." },
  connections: { fault: 'app', retry: 'backoff', close: 4230, status: 429, advice: "Close other connections of this user, or raise the server's limit." },
  replaced: { fault: 'app', retry: 'never', close: 4105, status: 409, advice: "A newer connection of the same instance took over; nothing to do." },
  restart: { fault: 'server', retry: 'backoff', close: 1012, status: 503, advice: "The server restarts; clients come back by themselves." },
  busy: { fault: 'server', retry: 'backoff', close: 1013, status: 503, advice: "The server has no room for this just now, and stored nothing of it: wait, then try again." },
  storage_unavailable: { fault: 'server', retry: 'backoff', close: 1013, status: 503, advice: "The server's store is down: try again with the same key." },
  internal: { fault: 'server', retry: 'backoff', close: 1011, status: 500, advice: "The server failed: report the request id to its operator." },
  idempotency_mismatch: { fault: 'app', retry: 'never', close: null, status: 422, advice: "This Idempotency-Key was used for another body: use a new key." },
  idempotency_in_flight: { fault: 'app', retry: 'backoff', close: null, status: 409, advice: "The first request with this Idempotency-Key is still running: try again soon." },
  not_found: { fault: 'app', retry: 'never', close: null, status: 404, advice: "Nothing is there: check the path, or the id." },
  method_not_allowed: { fault: 'app', retry: 'never', close: null, status: 405, advice: "Use the method of the reference." },
  unsupported_media_type: { fault: 'app', retry: 'never', close: null, status: 415, advice: "Send `Content-Type: application/json`." },
  closed: { fault: 'app', retry: 'never', close: null, status: 500, advice: "The client was closed by close(): create a new one." },
  invalid_argument: { fault: 'app', retry: 'never', close: null, status: 500, advice: "Correct the argument: see the error's message." },
  max_attempts: { fault: 'network', retry: 'never', close: null, status: 500, advice: "All attempts failed: call connect() to start again." },
  network: { fault: 'network', retry: 'backoff', close: null, status: 500, advice: "The server can't be reached: check the connection and the url." },
  outbox_full: { fault: 'app', retry: 'backoff', close: null, status: 500, advice: "Too many calls wait for an answer: wait for some, or connect." },
  signed_out: { fault: 'app', retry: 'never', close: null, status: 500, advice: "No user is signed in: set one first." },
  storage: { fault: 'browser', retry: 'backoff', close: null, status: 500, advice: "The browser gives no storage (private mode or quota): state lasts as long as the page." },
  ticket_failed: { fault: 'app', retry: 'backoff', close: null, status: 500, advice: "The app's ticket function failed: see the error's cause." },
  ticket_timeout: { fault: 'app', retry: 'backoff', close: null, status: 500, advice: "The app's ticket function took too long: it must settle within its deadline." },
  url_missing: { fault: 'app', retry: 'never', close: null, status: 500, advice: "Give createTidings a `url`." },
  wasm_unavailable: { fault: 'browser', retry: 'backoff', close: null, status: 500, advice: "The WebAssembly module can't load, and is asked for again unless the page forbids it or the browser lacks something: allow 'wasm-unsafe-eval' in the CSP, and check that the file is served." },
} as const

/** A code that this version knows; newer servers may send others. */
export type ErrorCode = keyof typeof ERROR_CODES

/** Sizes and counts that client and server both know. */
export const LIMITS = {
  connectBytes: 65536,
  messageBytes: 10240,
  publishBytes: 65536,
  infoBytes: 1024,
  userBytes: 128,
  nameBytes: 128,
  namespaceBytes: 32,
  cursors: 256,
  pageMax: 100,
  pageDefault: 50,
  markOffsets: 1000,
  depth: 32,
  maxOffset: 9007199254740991,
  usersPerPublish: 1000,
  kindBytes: 64,
  titleBytes: 512,
  textBytes: 8192,
  urlBytes: 2048,
  idBytes: 64,
  idempotencyKeyBytes: 128,
} as const
