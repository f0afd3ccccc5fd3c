import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const EXAMPLE = `${ROOT}examples/react`
export const SDK = `${ROOT}npm/dist`
export const RESULTS = `${ROOT}e2e/results`
/** The example built with React's development build, where StrictMode does everything twice. */
export const STRICT_PAGE = `${RESULTS}/strict-page`
/** The real server. */
export const SERVER = process.env.TIDINGS_BIN ?? `${ROOT}target/release/tidings`
