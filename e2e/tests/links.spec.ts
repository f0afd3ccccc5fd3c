import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'

const ROUTING = { routing: { type: 'navigate', path: '/orders/42', params: { tab: 'receipt', from: 'a&b' } } }

test('a deep link is followed inside the page, marks its item read, and leads back', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await inbox.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid', type: 'payment', data: ROUTING })
  await inbox.item('Paid').getByRole('link', { name: 'Paid' }).click()
  await expect(page).toHaveURL(`${inbox.url}/orders/42?tab=receipt&from=a%26b`)
  await expect(page.getByRole('heading', { name: '/orders/42' })).toBeVisible()
  await expect(page.getByRole('definition')).toHaveText(['receipt', 'a&b'])
  await inbox.hasBadge(0)
  await page.goBack()
  await expect(inbox.item('Paid')).toHaveAttribute('data-read', 'true')
  expect(inbox.sockets).toHaveLength(1)
})

test('a deep link works from a toast and survives a reload', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await inbox.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid', type: 'payment', data: ROUTING })
  await inbox.toast('Paid').getByRole('link').click()
  await expect(page.getByRole('heading', { name: '/orders/42' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('heading', { name: '/orders/42' })).toBeVisible()
  await page.getByRole('link', { name: 'Back to the inbox' }).click()
  await inbox.shows(['Paid'])
})

test('a link that would run script is no link', async ({ inbox, server }) => {
  await inbox.openLive()
  const data = { routing: { type: 'navigate', path: 'javascript:alert(1)' } }
  await server.publish({ to: { user: 'mina' }, title: 'Harmless', data })
  await inbox.shows(['Harmless'])
  await expect(inbox.item('Harmless').locator('a[href^="javascript:"]')).toHaveCount(0)
})

test('no route leaves the page’s origin, and a link elsewhere says so', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await inbox.openLive()
  const to = { user: 'mina' }
  for (const org of ['', '.', '..']) {
    await server.publish({ to, title: `By "${org}"`, data: { routing: { type: 'navigate', path: '/:org/:name', params: { org, name: 'evil.example' } } } })
  }
  for (const path of ['//evil.example', '/\\evil.example', '/\t/evil.example']) {
    await server.publish({ to, title: `By ${JSON.stringify(path)}`, data: { routing: { type: 'navigate', path } } })
  }
  await server.publish({ to, title: 'Elsewhere', url: 'https://example.com/a' })
  await expect(inbox.item('Elsewhere').getByRole('link')).toHaveAttribute('href', 'https://example.com/a')
  await expect(page.locator('.item')).toHaveCount(7)
  await expect(page.locator('.item a')).toHaveCount(1)
})

test('a link that only looks as if it stayed, or led elsewhere, is refused where it is published', async ({ server }) => {
  for (const url of ['javascript:alert(1)', '//evil.example', '/\\evil.example', '/\t/evil.example', 'https:evil.example', 'https://bank.example@evil.example']) {
    await expect(server.publish({ to: { user: 'mina' }, title: 'x', url }), url).rejects.toThrow('publish: 400')
  }
})
