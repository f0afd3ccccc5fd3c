/** What a test sees of the page. */

import type { InboxItem } from 'tidings'
import { vi } from 'vitest'

/** A part of the page as text. */
export function shown(part: 'connection' | 'status' | 'unread' | 'unseen' | 'time'): string {
  return document.querySelector(`[data-part="${part}"]`)?.textContent ?? ''
}

/** Titles in the list. */
export function titles(): string[] {
  return [...document.querySelectorAll('li')].map(({ textContent }) => textContent ?? '')
}

/** The ids of some items. */
export const idsOf = (items: readonly InboxItem[]): string[] => items.map(({ id }) => id)

/** Whatever a framework complains of from here on. */
export function complaints(): readonly unknown[][] {
  const all: unknown[][] = []
  for (const level of ['error', 'warn'] as const) vi.spyOn(console, level).mockImplementation((...said) => void all.push(said))
  return all
}
