/** The parts of the package that a page loads when it needs them, each part once. */

import { chunk } from './chunk.js'

export const saving = /* @__PURE__ */ chunk(() => import('./later/saving.js'))
export const source = /* @__PURE__ */ chunk(() => import('./later/source.js'))
export const told = /* @__PURE__ */ chunk(() => import('./later/told.js'))
export const world = /* @__PURE__ */ chunk(() => import('./later/world.js'))
export const development = /* @__PURE__ */ chunk(() => import('./later/development.js'))
export const telling = /* @__PURE__ */ chunk(() => import('./later/telling.js'))
