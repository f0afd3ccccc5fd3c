/** The parts of the package that a page loads when it needs them, each part once. */

import { chunk } from './chunk.js'

export const saving = /* @__PURE__ */ chunk(() => import('./lazy/saving.js'))
export const source = /* @__PURE__ */ chunk(() => import('./lazy/source.js'))
export const told = /* @__PURE__ */ chunk(() => import('./lazy/told.js'))
export const world = /* @__PURE__ */ chunk(() => import('./lazy/world.js'))
export const development = /* @__PURE__ */ chunk(() => import('./lazy/development.js'))
export const telling = /* @__PURE__ */ chunk(() => import('./lazy/telling.js'))
