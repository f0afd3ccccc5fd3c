/** The parts of the package that a page loads when it needs them, each part once. */

import { chunk } from './chunk.js'

export const saving = /* @__PURE__ */ chunk(() => import('./lazy/saving.js'))
export const source = /* @__PURE__ */ chunk(() => import('./lazy/source.js'))
export const arrivals = /* @__PURE__ */ chunk(() => import('./lazy/arrivals.js'))
export const io = /* @__PURE__ */ chunk(() => import('./lazy/io.js'))
export const development = /* @__PURE__ */ chunk(() => import('./lazy/development.js'))
export const logging = /* @__PURE__ */ chunk(() => import('./lazy/logging.js'))
