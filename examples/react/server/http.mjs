// The HTTP helpers of the example's backend.

const BODY_MAX = 16 * 1024

/** An error answer, with a sentence for its reader. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/** The request's JSON object, at most 16 KiB. */
export async function readJson(request) {
  let size = 0
  const parts = []
  for await (const part of request) {
    size += part.length
    if (size > BODY_MAX) throw new HttpError(413, 'That is too much text.')
    parts.push(part)
  }
  try {
    const value = JSON.parse(Buffer.concat(parts).toString('utf8'))
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Rejected below, like JSON that is no object.
  }
  throw new HttpError(400, 'The body must be a JSON object.')
}

export function sendJson(response, status, value) {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(value))
}

/** Whether a request comes from this page. The cookie alone would let any site act as the user. */
export function isSameOrigin({ headers }) {
  if (headers['sec-fetch-site']) return headers['sec-fetch-site'] === 'same-origin'
  if (!headers.origin) return false
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host
}
