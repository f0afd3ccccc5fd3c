import { expect, type Locator, type Page, type WebSocket } from '@playwright/test'

/** The example's page, in a user's words. */
export class InboxPage {
  readonly page: Page
  readonly url: string
  /** Number of ticket requests. */
  tickets = 0
  /** WebSockets that were opened. */
  readonly sockets: WebSocket[] = []
  #noting: Promise<unknown> | undefined

  constructor(page: Page, url: string) {
    this.page = page
    this.url = url
    page.on('request', request => {
      if (new URL(request.url()).pathname === '/api/tidings-ticket') this.tickets += 1
    })
    page.on('websocket', socket => this.sockets.push(socket))
  }

  async open(path = '/'): Promise<void> {
    await (this.#noting ??= this.page.addInitScript(noteStates))
    await this.page.goto(this.url + path)
  }

  /** Opens the page and waits until it is live, with all of its code. */
  async openLive(): Promise<void> {
    await this.open()
    await this.isLive()
    await expect.poll(() => this.hasDeferred()).toBe(true)
  }

  /** Whether the deferred part of the core is loaded, which comes last. */
  hasDeferred(): Promise<boolean> {
    return this.page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => /\/deferred-[^/]+\.js$/.test(name)))
  }

  /** Connected, and the inbox is neither loading nor a saved one. */
  async isLive(): Promise<void> {
    await this.hasState('connected')
    await expect(this.page.getByRole('tabpanel')).toHaveAttribute('aria-busy', 'false')
    await expect(this.page.getByText('As last seen')).toHaveCount(0)
  }

  /** Presses "Retry now" as long as it is offered: the client may reconnect by itself meanwhile. */
  async retryUntilLive(): Promise<void> {
    const retry = this.page.getByRole('button', { name: 'Retry now' })
    await expect(async () => {
      if (await retry.isVisible()) await retry.click({ timeout: 500 }).catch(() => {})
      await expect(this.page.getByTestId('connection')).toHaveAttribute('data-status', 'connected', { timeout: 500 })
    }).toPass({ timeout: 20_000 })
  }

  async hasState(status: string): Promise<void> {
    await expect(this.page.getByTestId('connection')).toHaveAttribute('data-status', status)
  }

  /** Connected by this transport. */
  async isBy(transport: 'ws' | 'sse' | 'poll', timeout = 40_000): Promise<void> {
    await expect(this.page.getByTestId('connection')).toHaveAttribute('data-transport', transport, { timeout })
  }

  /**
   * Every state that the page has shown since it was loaded, with its transport if there is one:
   * `connected by sse`.
   */
  states(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { states: string[] }).states)
  }

  get titles(): Locator {
    return this.page.locator('.item-title')
  }

  item(title: string): Locator {
    return this.page.getByRole('listitem').filter({ hasText: title })
  }

  /** Exactly these titles, newest first. Hidden "Unread:" prefixes don't count. */
  async shows(titles: readonly string[]): Promise<void> {
    await expect(async () => expect(await this.shownTitles()).toEqual(titles)).toPass({ timeout: 20_000 })
  }

  async shownTitles(): Promise<string[]> {
    const texts = await this.titles.allTextContents()
    return texts.map(text => text.replace(/^\s*Unread: /, '').trim())
  }

  /** The number on the bell; 0 if there is none. */
  async hasBadge(count: number): Promise<void> {
    const badge = this.page.getByTestId('badge')
    await (count === 0 ? expect(badge).toHaveCount(0) : expect(badge).toHaveText(String(count)))
  }

  async press(title: string, action: 'Mark read' | 'Mark unread' | 'Archive' | 'Move to inbox'): Promise<void> {
    await this.page.getByRole('button', { name: `${action}: ${title}` }).click()
  }

  async showTab(name: 'Inbox' | 'Unread' | 'Archived'): Promise<void> {
    await this.page.getByRole('tab', { name: new RegExp(`^${name}`) }).click()
  }

  /** Chooses the user and waits until the page has switched. */
  async switchTo(name: 'Mina Park' | 'Jun Mori' | 'Sign out'): Promise<void> {
    const user = this.page.getByLabel('Signed in as')
    await user.selectOption({ label: name })
    await expect(user).toBeEnabled()
    await expect(user).toHaveValue({ 'Mina Park': 'mina', 'Jun Mori': 'jun', 'Sign out': '' }[name])
  }

  toast(title: string): Locator {
    return this.page.locator('.toast').filter({ hasText: title })
  }
}

/** Runs in the page. */
function noteStates(): void {
  const states: string[] = []
  new MutationObserver(() => {
    const shown = document.querySelector<HTMLElement>('[data-testid="connection"]')?.dataset
    const state = shown?.transport === undefined ? shown?.status : `${shown.status} by ${shown.transport}`
    if (state !== undefined && state !== states.at(-1)) states.push(state)
  }).observe(document, { childList: true, subtree: true, attributeFilter: ['data-status', 'data-transport'] })
  Object.assign(window, { states })
}
