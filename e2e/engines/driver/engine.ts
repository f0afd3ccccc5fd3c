/** The engines that the scenarios run in. Each is a browser of Debian's. */
export const ENGINES = ['chromium', 'firefox', 'webkit'] as const
export type EngineName = (typeof ENGINES)[number]

/** What goes into a page and comes out of it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined } | undefined | void

/** A running browser. */
export interface Browser {
  /** Somebody with cookies and storage of their own. */
  profile(): Promise<Profile>
  /** What it said on its outputs, for a test that failed. */
  readonly output: string
  stop(): Promise<void>
}

/** Tabs of one profile share cookies and storage, and share nothing with those of another. */
export interface Profile {
  tab(): Promise<Tab>
  /** Closes it with all of its tabs; what it stored is gone. */
  close(): Promise<void>
}

/**
 * A tab. Nothing here waits for what a page shows: that is `Page`'s, once for all engines. Whatever can't be done just now, because the page
 * is on its way to another, rejects.
 */
export interface Tab {
  /** Goes there and waits for the page's `load`. */
  goto(url: string): Promise<void>
  reload(): Promise<void>
  /** One step back in the tab's history. Whether the page is there already when it resolves depends on the engine. */
  back(): Promise<void>
  /** Calls `fn` in the page; what it answers, or what its promise comes to, goes through JSON. */
  evaluate<A extends readonly Json[], T extends Json>(fn: (...args: A) => T | Promise<T>, ...args: A): Promise<T>
  /** Presses the mouse's button over the element that `find` gives in the page; false where it gives none. */
  click<A extends readonly Json[]>(find: (...args: A) => Element | null, ...args: A): Promise<boolean>
  /** Types into what has the focus. */
  type(text: string): Promise<void>
  /** Its process dies, as if out of memory: the page has no time to say or save anything. The tab is of no use any more. */
  crash(): Promise<void>
  close(): Promise<void>
}

/** The Enter key, as WebDriver spells it. */
export const ENTER = '\uE007'
