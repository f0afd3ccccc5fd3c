/** Reads the page as a test sees it. */

import type { InboxItem } from 'tidings'
import { vi } from 'vitest'

/** The text of a part of the page. */
export function shown(part: 'connection' | 'status' | 'unread' | 'unseen' | 'time'): string {
  return document.querySelector(`[data-part="${part}"]`)?.textContent ?? ''
}

/** The titles in the list. */
export function titles(): string[] {
  return [...document.querySelectorAll('li')].map(({ textContent }) => textContent ?? '')
}

/** The ids of the items. */
export const idsOf = (items: readonly InboxItem[]): string[] => items.map(({ id }) => id)

/** All errors and warnings of the framework from now on. */
export function complaints(): readonly unknown[][] {
  const all: unknown[][] = []
  for (const level of ['error', 'warn'] as const) vi.spyOn(console, level).mockImplementation((...said) => void all.push(said))
  return all
}
