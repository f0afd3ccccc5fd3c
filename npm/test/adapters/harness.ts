/** What a framework's tests need to say to run the scenarios: how its one test page is mounted, served and hydrated. */

import type { InboxFilter, Tidings } from 'tidings'

import type { InitialInbox } from '../../src/adapter/first-inbox.js'
import type { Notifications } from '../../src/adapter/views.js'

/** What the page takes. */
export interface PageProps {
  readonly user?: string | null | undefined
  readonly initial?: InitialInbox | undefined
  readonly filter?: InboxFilter | undefined
  /** Goes before the ids of what the listener hears. */
  readonly greeting?: string | undefined
}

/** What the page tells beside what it shows. */
export class Probe {
  /** How often each part was brought up to date. */
  readonly runs = { bell: 0, list: 0, unseen: 0 }
  /** What the listener heard. */
  readonly heard: string[] = []
  /** Each moment the list saw: items, unread of the same view, unread by `useUnreadCount`. */
  readonly moments: string[] = []
  /** The list's view, as of now. */
  view: Notifications | undefined
}

/** A page on screen. */
export interface Mounted {
  readonly probe: Probe
  /** Gives it these props instead. */
  set(props: PageProps): Promise<void>
  unmount(): Promise<void>
}

/** What a server made of the page. */
export interface Served {
  readonly html: string
  /** Calls and subscriptions that rendering made on the client. */
  readonly touched: readonly string[]
}

export interface Harness {
  /** Does something and lets the page follow. */
  act(fn: () => unknown): Promise<void>
  mount(client: Tidings, props?: PageProps): Promise<Mounted>
  /** Renders pages one after the other on one server, whose client another request has used before. */
  serve(...pages: readonly PageProps[]): Promise<readonly Served[]>
  /** Hydrates what stands in the page. Anything but a perfect match goes to `console.error` or `console.warn`. */
  hydrate(container: HTMLElement, client: Tidings, props?: PageProps): Promise<Mounted>
  /** Uses hooks where nobody has given a client. */
  withoutProvider(): unknown
  /** Ends every page that is still mounted. */
  clean(): Promise<void>
}
