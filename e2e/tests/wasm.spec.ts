import { readFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'

import type { Page } from '@playwright/test'

import { SDK } from '../harness/paths.ts'
import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'

test('a content security policy that forbids wasm is named as the cause', EVERY_FRAMEWORK, async ({ inbox, page }) => {
  await page.route(`${inbox.url}/`, async route => {
    const response = await route.fetch()
    const policy = response.headers()['content-security-policy'] ?? ''
    expect(policy).toContain("'wasm-unsafe-eval'")
    const headers = { ...response.headers(), 'content-security-policy': policy.replace(" 'wasm-unsafe-eval'", '') }
    await route.fulfill({ response, headers })
  })
  await inbox.open()
  await inbox.hasState('failed')
  const alert = page.getByRole('alert')
  await expect(alert).toContainText('wasm_unavailable')
  await expect(alert).toContainText("'wasm-unsafe-eval'")
})

/**
 * A page that serves the compiled core itself, from `wasmPath`, and connects. It shows what it
 * learns in its title.
 */
async function openWithOwnWasm(page: Page, wasmPath: string): Promise<void> {
  await page.route('http://app.localhost/**', async route => {
    const { pathname } = new URL(route.request().url())
    if (pathname === '/') return route.fulfill({ contentType: 'text/html', body: pageWith(wasmPath) })
    if (pathname === '/page-instead') return route.fulfill({ contentType: 'text/html', body: '<!doctype html>' })
    const path = normalize(join(SDK, pathname.replace(/^\/sdk/, '')))
    const body = pathname.startsWith('/sdk/') ? await readFile(path).catch(() => null) : null
    if (body === null) return route.fulfill({ status: 404, body: 'not here' })
    return route.fulfill({ contentType: path.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', body })
  })
  await page.goto('http://app.localhost/')
}

const pageWith = (wasmPath: string): string => `<!doctype html><title>loading</title><script type="module">
  import { createTidings } from '/sdk/wasm.js'
  const tidings = createTidings({ url: 'http://127.0.0.1:9', ticket: () => 'ticket', wasm: '${wasmPath}' })
  tidings.connection.subscribe(({ status, error }) => {
    document.title = [status, error?.name, error?.code, error?.fault, error?.message].join(' | ')
  })
</script>`

test('a compiled core that is not there is a typed error that says so', async ({ page }) => {
  await openWithOwnWasm(page, '/missing.wasm')
  await expect(page).toHaveTitle(/^failed \| TidingsError \| wasm_unavailable \| .*404/)
})

test('a page in the place of the compiled core is a typed error that says so', async ({ page }) => {
  await openWithOwnWasm(page, '/page-instead')
  await expect(page).toHaveTitle(/^failed \| TidingsError \| wasm_unavailable \| .*text\/html/)
})

test('a page may serve the compiled core itself', async ({ page }) => {
  await openWithOwnWasm(page, '/sdk/core.wasm')
  // No server listens there, so the client waits, which needs a working core.
  await expect(page).toHaveTitle(/^waiting \| /)
})
