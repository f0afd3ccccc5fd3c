// @vitest-environment jsdom
import { describe } from 'vitest'

import { scenarios } from '../scenarios.js'
import { reactHarness } from './harness.js'

describe('React', () => scenarios(reactHarness({ strict: false })))
describe('React under StrictMode', () => scenarios(reactHarness({ strict: true })))
