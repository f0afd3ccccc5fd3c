// @vitest-environment jsdom
import { describe } from 'vitest'

import { scenarios } from '../scenarios.js'
import { svelteHarness } from './harness.svelte.js'

describe('Svelte', () => scenarios(svelteHarness()))
