import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The same app in each framework. */
export const FRAMEWORKS = ['react', 'svelte'] as const
export type Framework = (typeof FRAMEWORKS)[number]
export const exampleIn = (framework: Framework): string => `${ROOT}examples/${framework}`
export const SDK = `${ROOT}npm/dist`
export const RESULTS = `${ROOT}e2e/results`
/** The React example with React's development build, in which StrictMode runs everything twice. */
export const STRICT_PAGE = `${RESULTS}/strict-page`
/** The real server. */
export const SERVER = process.env.TIDINGS_BIN ?? `${ROOT}target/release/tidings`
/** The program behind `cargo xtask`. */
export const XTASK = process.env.TIDINGS_XTASK ?? `${ROOT}target/debug/xtask`
