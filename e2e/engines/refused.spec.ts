// Features that the browser, the page or its hosting refuses.
import { expect, test } from './test.ts'

const to = { user: 'mina' }

test.describe('in a sandbox', () => {
  // Its pages have an opaque origin, which can't be listed.
  test.use({ serverConfig: 'origins = ["*"]\n' })

  test('storage refused: a page that the browser gives no storage and no locks works from memory', async ({ app, server, front }) => {
    // A sandboxed document has an opaque origin: each engine refuses it cookies, IndexedDB and Web
    // Locks.
    front.changes = {
      policy: policy => `${policy.replaceAll("'self'", `'self' ${front.url}`)}; sandbox allow-scripts allow-forms`,
      forOpaqueOrigins: true,
    }
    await app.open()
    await app.isLive()
    const refusal = () =>
      new Promise<string>(resolve => {
        try {
          const request = indexedDB.open('probe')
          request.onsuccess = () => resolve('storage')
          request.onerror = () => resolve(String(request.error?.name))
        } catch (error) {
          resolve((error as Error).name)
        }
      })
    expect(await app.tab.evaluate(refusal)).toBe('SecurityError')
    await server.publish({ to, title: 'one' })
    await app.shows(['one'])
    await app.press('Mark read: one')
    await app.isRead('one')
    await app.isPending('one', false)
    await server.kill()
    await server.startAgain()
    await server.publish({ to, title: 'two' })
    await app.retryUntilLive()
    await app.shows(['two', 'one'])
  })
})

test('storage refused: where to look at indexedDB is an error, a page works from memory', async ({ app, server, front }) => {
  front.changes = {
    // As in Firefox when the user blocks storage for the site.
    script: () =>
      Object.defineProperty(globalThis, 'indexedDB', {
        get() {
          throw new DOMException('The operation is insecure.', 'SecurityError')
        },
      }),
  }
  await app.open()
  await app.isLive()
  await server.publish({ to, title: 'one' })
  await app.shows(['one'])
})

test('a content security policy that forbids wasm is named as the cause', async ({ app, front }) => {
  front.changes = { policy: policy => policy.replace(" 'wasm-unsafe-eval'", '') }
  await app.open()
  await app.hasState('failed')
  await app.hasText('wasm_unavailable')
  await app.hasText("'wasm-unsafe-eval'")
})

test('wasm 404: a core that is missing is asked for again, and the page works once it is there', async ({ app, server, front }) => {
  let missing = true
  front.changes = { isMissing: path => missing && /\/startup-[^/]+\.js$/.test(path) }
  await app.open()
  // An engine may remember a failed import as long as the page lives, so the retry uses another
  // URL.
  await app.eventually(async () => expect(front.asked.filter(path => /\/startup-/.test(path)).length).toBeGreaterThan(2))
  missing = false
  await app.isLive()
  await server.publish({ to, title: 'one' })
  await app.shows(['one'])
})

test('a rest of the core that did not load is asked for again', async ({ app, server, front }) => {
  let missing = 1
  front.changes = { isMissing: path => /\/deferred-[^/]+\.js$/.test(path) && missing-- > 0 }
  await app.open()
  await app.isLive()
  await server.publish({ to, title: 'Paid' })
  await app.shows(['Paid'])
})
