import { expect, type Locator, type Page } from '@playwright/test'

import { InboxPage } from './inbox-page.ts'

export type MessageState = 'sent' | 'pending' | 'failed'

/** A room of the example, in the words of a member. */
export class RoomPage extends InboxPage {
  async openRoom(id = 'harbour'): Promise<void> {
    await this.open(`/rooms/${id}`)
  }

  /**
   * Opens it and waits until it is live, with all of the client's code and the first page of
   * history.
   */
  async openRoomLive(id = 'harbour'): Promise<void> {
    await this.openRoom(id)
    await this.isRoomLive()
  }

  async isRoomLive(): Promise<void> {
    await this.hasRoomStatus('live')
    await expect(this.log).toHaveAttribute('aria-busy', 'false')
  }

  async hasRoomStatus(status: string): Promise<void> {
    await expect(this.page.locator('section.room')).toHaveAttribute('data-status', status)
  }

  get log(): Locator {
    return this.page.getByRole('region', { name: /^Messages in / })
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to / })
  }

  get texts(): Locator {
    return this.page.locator('.message-text')
  }

  /** The messages with exactly this text. */
  message(text: string): Locator {
    const exactly = new RegExp(`^${text.replace(/[^\w ]/g, '\\$&')}$`)
    return this.page.locator('.message').filter({ has: this.page.locator('.message-text', { hasText: exactly }) })
  }

  async say(...texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      await this.composer.fill(text)
      await this.composer.press('Enter')
      await expect(this.composer).toHaveValue('')
    }
  }

  /** Exactly these texts, oldest first. */
  async says(texts: readonly string[]): Promise<void> {
    await expect(this.texts).toHaveText([...texts])
  }

  async hasMessage(text: string, state: MessageState): Promise<void> {
    await expect(this.message(text)).toHaveAttribute('data-state', state)
  }

  /** The server has stored every message that is shown. */
  async allSent(): Promise<void> {
    await expect(this.page.locator('.message:not([data-state="sent"])')).toHaveCount(0)
  }

  async retry(text: string): Promise<void> {
    await this.page.getByRole('button', { name: `Retry: ${text}`, exact: true }).click()
  }

  async discard(text: string): Promise<void> {
    await this.page.getByRole('button', { name: `Discard: ${text}`, exact: true }).click()
  }
}

/**
 * Kills the page's renderer, as if the browser had run out of memory: the page can neither send nor
 * save anything.
 */
export async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash')
  const session = await page.context().newCDPSession(page)
  // The command has no answer.
  void session.send('Page.crash').catch(() => {})
  await crashed
  await page.close()
}
