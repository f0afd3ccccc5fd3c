/**
 * The functions that a framework's tests provide for the scenarios: they mount, serve and hydrate
 * its one test page.
 */

import type { InboxFilter, Tidings } from 'tidings'

import type { InitialInbox } from '../../src/adapter/initial-inbox.js'
import type { Notifications } from '../../src/adapter/views.js'

/** The props of the page. */
export interface PageProps {
  readonly user?: string | null | undefined
  readonly initial?: InitialInbox | undefined
  readonly filter?: InboxFilter | undefined
  /** A prefix for the ids that the listener records. */
  readonly greeting?: string | undefined
}

/** The page's reports beside its content. */
export class Probe {
  /** How often each part was rendered. */
  readonly runs = { bell: 0, list: 0, unseen: 0 }
  /** The events of the listener. */
  readonly received: string[] = []
  /**
   * Each state that the list rendered: items, unread of the same view, unread by `useUnreadCount`.
   */
  readonly moments: string[] = []
  /** The list's current view. */
  view: Notifications | undefined
}

/** A mounted page. */
export interface Mounted {
  readonly probe: Probe
  /** Replaces the props. */
  set(props: PageProps): Promise<void>
  unmount(): Promise<void>
}

/** The result of rendering the page on a server. */
export interface Served {
  readonly html: string
  /** Calls and subscriptions on the client during rendering. */
  readonly touched: readonly string[]
}

export interface Harness {
  /** Runs a function and lets the page update. */
  act(fn: () => unknown): Promise<void>
  mount(client: Tidings, props?: PageProps): Promise<Mounted>
  /**
   * Renders pages one after the other on one server, whose client another request has used before.
   */
  serve(...pages: readonly PageProps[]): Promise<readonly Served[]>
  /**
   * Hydrates the content of the container. Any mismatch goes to `console.error` or `console.warn`.
   */
  hydrate(container: HTMLElement, client: Tidings, props?: PageProps): Promise<Mounted>
  /** Uses hooks without a provider. */
  withoutProvider(): unknown
  /** Unmounts all pages. */
  clean(): Promise<void>
}
