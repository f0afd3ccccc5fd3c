/**
 * The tests that every framework must pass. Each framework runs them over its own page (`react/`,
 * `svelte/`). Tests for one framework are beside its harness.
 */

import { afterEach, beforeEach, vi } from 'vitest'

import type { Harness } from './harness.js'
import { client } from './scenarios/client.js'
import { events } from './scenarios/events.js'
import { notifications } from './scenarios/notifications.js'
import { provider } from './scenarios/provider.js'
import { reading } from './scenarios/reading.js'
import { seen } from './scenarios/seen.js'
import { serving } from './scenarios/serving.js'

export function scenarios(harness: Harness): void {
  beforeEach(() => document.body.replaceChildren())
  afterEach(async () => {
    vi.useRealTimers()
    await harness.clean()
    vi.restoreAllMocks()
  })
  provider(harness)
  reading(harness)
  notifications(harness)
  events(harness)
  seen(harness)
  serving(harness)
  client(harness)
}
