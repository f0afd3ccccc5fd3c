/** Whose fault an error is. */
export type Fault = 'app' | 'server' | 'network' | 'browser'

/** What a `TidingsError` is made of. */
export interface ErrorFacts {
  /** Stable name from the catalogue; a server may know names this version does not. */
  readonly code: string
  readonly fault: Fault
  /** It may work later: the client tries again by itself, or the same call may succeed. */
  readonly retry: boolean
  readonly message: string
  /** What was thrown below, if anything. */
  readonly cause?: unknown
}

const BRAND = Symbol.for('tidings.error')
const DOCS = 'https://github.com/tidings/tidings/blob/main/docs/protocol.md#'

/** Something went wrong: what, whose fault it is, and what to do. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError'
  declare readonly code: string
  declare readonly fault: Fault
  declare readonly retry: boolean
  /** Address of what the documentation says about this code. */
  declare readonly docs: string

  constructor({ code, fault, retry, message, cause }: ErrorFacts) {
    super(message, cause === undefined ? undefined : { cause })
    // Not a class check: an app may hold two copies of the package.
    Object.defineProperty(this, BRAND, { value: true })
    this.code = code
    this.fault = fault
    this.retry = retry
    this.docs = DOCS + code
  }
}

/** Whether this is a `TidingsError`, of this copy of the package or another. */
export function isTidingsError(error: unknown): error is TidingsError {
  return typeof error === 'object' && error !== null && BRAND in error
}

/** The app called something wrongly: thrown at once, so that the stack names the caller. */
export function invalid(message: string): TidingsError {
  return failure('invalid_argument', 'app', message)
}

/** A final error that this side found by itself. */
export function failure(code: string, fault: Fault, message: string, cause?: unknown): TidingsError {
  return new TidingsError({ code, fault, retry: false, message, cause })
}

/** What `close()` leaves to say. */
export function closed(): TidingsError {
  return failure('closed', 'app', 'The client was closed by close(): create a new one.')
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return 'something'
  }
}
