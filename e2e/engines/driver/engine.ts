/** The engines that the scenarios run in. Each is a browser from Debian. */
export const ENGINES = ['chromium', 'firefox', 'webkit'] as const
export type EngineName = (typeof ENGINES)[number]

/** The values that go into a page and come out of it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined } | undefined | void

/** A running browser. */
export interface Browser {
  /** A user with separate cookies and storage. */
  profile(): Promise<Profile>
  /** The browser's output, for a test that failed. */
  readonly output: string
  stop(): Promise<void>
}

/** Tabs of one profile share cookies and storage. Profiles share nothing. */
export interface Profile {
  tab(): Promise<Tab>
  /** Closes the profile with all of its tabs, and deletes its storage. */
  close(): Promise<void>
}

/**
 * A tab. No method waits for a state of the page: `App` does that, once for all engines. A method
 * rejects if the page is just being replaced by another.
 */
export interface Tab {
  /** Goes to a URL and waits for the page's `load`. */
  goto(url: string): Promise<void>
  reload(): Promise<void>
  /**
   * One step back in the tab's history. The engine decides whether the page is loaded when this
   * resolves.
   */
  back(): Promise<void>
  /** Calls `fn` in the page. Its result, or that of its promise, goes through JSON. */
  evaluate<A extends readonly Json[], T extends Json>(fn: (...args: A) => T | Promise<T>, ...args: A): Promise<T>
  /** Clicks at the element that `find` returns in the page; `false` if it returns none. */
  click<A extends readonly Json[]>(find: (...args: A) => Element | null, ...args: A): Promise<boolean>
  /** Types into the focused element. */
  type(text: string): Promise<void>
  /**
   * Kills the tab's process, as if out of memory: the page can neither send nor save anything. The
   * tab can't be used any more.
   */
  crash(): Promise<void>
  close(): Promise<void>
}

/** The Enter key, as WebDriver spells it. */
export const ENTER = '\uE007'
