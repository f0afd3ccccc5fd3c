/** The side at fault for an error. */
export type Fault = 'app' | 'server' | 'network' | 'browser'

/** The fields of a `TidingsError`. */
export interface ErrorFacts {
  /**
   * A stable name from the catalogue. Newer servers may send names that this version does not know.
   */
  readonly code: string
  readonly fault: Fault
  /** Whether it may work later: the client tries again by itself, or the same call may succeed. */
  readonly retry: boolean
  readonly message: string
  /** The underlying error, if any. */
  readonly cause?: unknown
}

const BRAND = Symbol.for('tidings.error')
const DOCS = 'https://github.com/tidings/tidings/blob/main/docs/protocol.md#'

/** An error with its cause, the side at fault, and the way to mend it. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError'
  declare readonly code: string
  declare readonly fault: Fault
  declare readonly retry: boolean
  /** The address of this code's documentation. */
  declare readonly docs: string

  constructor({ code, fault, retry, message, cause }: ErrorFacts) {
    super(message, cause === undefined ? undefined : { cause })
    // A brand instead of a class check, because an app may hold two copies of the package.
    Object.defineProperty(this, BRAND, { value: true })
    this.code = code
    this.fault = fault
    this.retry = retry
    this.docs = DOCS + code
  }
}

/** Whether this is a `TidingsError`, of this or another copy of the package. */
export function isTidingsError(error: unknown): error is TidingsError {
  return typeof error === 'object' && error !== null && BRAND in error
}

/** A wrong call by the app. It is thrown at once, so that the stack names the caller. */
export function invalid(message: string): TidingsError {
  return failure('invalid_argument', 'app', message)
}

/** A final error that the package found itself. */
export function failure(code: string, fault: Fault, message: string, cause?: unknown): TidingsError {
  return new TidingsError({ code, fault, retry: false, message, cause })
}

/** The error of every call after `close()`. */
export function closed(): TidingsError {
  return failure('closed', 'app', 'The client was closed by close(): create a new one.')
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return 'something'
  }
}
