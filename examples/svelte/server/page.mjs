// Serves the built page. Every path without a file gets the page, so that deep links survive a
// reload.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { HttpError } from './http.mjs'

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/**
 * Serves `folder`. Its pages may connect to the Tidings server at `publicUrl` and to no other
 * server.
 */
export function servePage({ folder, publicUrl }) {
  const headers = {
    'Content-Security-Policy': policyFor(publicUrl),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  }
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError(405, 'Only GET works here.')
    const { pathname } = new URL(request.url, 'http://page')
    const asset = await fileAt(folder, pathname)
    const file = asset ?? (extname(pathname) === '' ? await fileAt(folder, '/index.html') : null)
    if (file === null) {
      throw new HttpError(404, pathname === '/' ? 'The page is not built: run `npm run build` first.' : 'There is nothing here.')
    }
    response.writeHead(200, {
      ...headers,
      'Content-Type': TYPES[extname(file.path)] ?? 'application/octet-stream',
      'Content-Length': file.size,
      // Vite puts a hash into the names below assets/, so those never change.
      'Cache-Control': pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    })
    if (request.method === 'HEAD') return response.end()
    await pipeline(createReadStream(file.path), response)
  }
}

/** `'wasm-unsafe-eval'` lets the SDK compile its core; it does not allow `eval`. */
function policyFor(publicUrl) {
  const { origin } = new URL(publicUrl)
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${origin} ${origin.replace(/^http/, 'ws')}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}

async function fileAt(folder, pathname) {
  let path
  try {
    path = normalize(join(folder, decodeURIComponent(pathname)))
  } catch {
    return null
  }
  if (!path.startsWith(folder + sep)) return null
  const found = await stat(path).catch(() => null)
  return found?.isFile() ? { path, size: found.size } : null
}
