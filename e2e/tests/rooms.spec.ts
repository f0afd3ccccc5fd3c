import { savedText } from '../harness/saved.ts'
import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'

test('two people in a room have what the other says at once, with name, and read out', EVERY_FRAMEWORK, async ({ room, anotherRoom }) => {
  const jun = await anotherRoom('jun')
  await room.openRoomLive()
  await expect(room.page.getByText('Nothing was said here yet')).toBeVisible()
  await jun.openRoomLive()
  await room.say('Is the boat in?')
  await jun.says(['Is the boat in?'])
  await expect(jun.message('Is the boat in?').locator('.message-author')).toHaveText('Mina Park')
  await expect(jun.message('Is the boat in?')).toHaveAttribute('data-own', 'false')
  await expect(jun.page.getByRole('log')).toHaveText('Mina Park: Is the boat in?')
  await jun.say('Since noon.')
  for (const one of [room, jun]) {
    await one.says(['Is the boat in?', 'Since noon.'])
    await one.allSent()
  }
  await expect(room.message('Is the boat in?').locator('.message-author')).toHaveText('You')
  await expect(room.page.getByRole('log'), 'own words are not read out').toHaveText('Jun Mori: Since noon.')
})

test('what a backend says comes from the office, and a room that nobody looks at costs nothing', async ({ room, server }) => {
  await room.openRoomLive('notices')
  await server.say('room:harbour', { text: 'not here' })
  await server.say('room:notices', { text: 'The lift is repaired.' })
  await room.says(['The lift is repaired.'])
  await expect(room.message('The lift is repaired.').locator('.message-author')).toHaveText('The office')
})

test('kill -9 amid what two tabs say: both show all of it, once, in one order', EVERY_FRAMEWORK, async ({ room, anotherRoom, server }) => {
  const other = await anotherRoom()
  await room.openRoomLive()
  await other.openRoomLive()
  const tabs = [room, other]
  const lines = tabs.map((_, tab) => Array.from({ length: 15 }, (_, at) => `tab ${tab}, line ${at}`))
  const talking = Promise.all(tabs.map((tab, at) => tab.say(...lines[at]!)))
  for (const received of [5, 15]) {
    // This many are stored, and the others are under way.
    await expect.poll(async () => (await server.messages('room:harbour')).length).toBeGreaterThanOrEqual(received)
    await server.kill()
    await server.startAgain()
    await Promise.all(tabs.map(tab => tab.retryUntilLive()))
  }
  await talking
  await expect(room.texts).toHaveCount(30)
  for (const tab of tabs) await tab.allSent()

  const stored = (await server.messages('room:harbour')).map(data => (data as { text: string }).text)
  expect([...stored].sort()).toEqual(lines.flat().sort())
  for (const own of lines) expect(stored.filter(text => own.includes(text)), 'what one tab says stays in its order').toEqual(own)
  for (const tab of tabs) await tab.says(stored)
})

test('older messages are loaded page by page, and the reader stays where they were', EVERY_FRAMEWORK, async ({ room, server }) => {
  const lines = Array.from({ length: 130 }, (_, at) => `Line ${at}`)
  for (const text of lines) await server.say('room:harbour', { text })
  await room.openRoomLive()
  const more = room.page.getByRole('button', { name: 'Load older' })
  const shown = await room.texts.count()
  expect(shown).toBeGreaterThanOrEqual(50)
  await room.says(lines.slice(-shown))
  await expect(room.message('Line 129')).toBeInViewport()

  let reading = room.message(lines.at(-shown)!)
  for (let before = shown; before < lines.length; before = await room.texts.count()) {
    reading = room.message(lines.at(-before)!)
    await more.click()
    await expect.poll(() => room.texts.count()).toBeGreaterThan(before)
    await expect(room.log).toHaveAttribute('aria-busy', 'false')
    await expect(reading).toBeInViewport()
  }
  await room.says(lines)
  await expect(more).toHaveCount(0)
  await server.say('room:harbour', { text: 'News' })
  await room.says([...lines, 'News'])
  await expect(reading, 'somebody who reads what was is not torn away').toBeInViewport()
})

test('without the right there is no way in, and it is said why', EVERY_FRAMEWORK, async ({ anotherRoom, server }) => {
  const jun = await anotherRoom('jun')
  await server.say('room:kitchen', { text: 'Among us' })
  await jun.openRoom('kitchen')
  await jun.hasRoomStatus('refused')
  await expect(jun.page.getByRole('alert')).toContainText('You are not one of its members')
  await expect(jun.page.getByRole('link', { name: 'About “forbidden”' })).toBeVisible()
  await expect(jun.page.getByRole('navigation', { name: 'Rooms' })).not.toContainText('Kitchen')
  await expect(jun.page.getByText('Among us')).toHaveCount(0)

  await jun.page.getByRole('link', { name: 'Harbour' }).click()
  await jun.isRoomLive()
  await jun.openRoom('a-room-of-nobody')
  await jun.hasRoomStatus('refused')
})

test('a room shows what was last seen without a connection, and goes on from there', EVERY_FRAMEWORK, async ({ room, server }) => {
  for (const text of ['one', 'two']) await server.say('room:harbour', { text })
  await room.openRoomLive()
  await room.says(['one', 'two'])
  await expect.poll(() => savedText(room.page)).toContain('two')
  await server.kill()
  await room.page.reload()
  await room.hasRoomStatus('catching-up')
  await room.says(['one', 'two'])
  await expect(room.page.getByText('As last seen')).toBeVisible()

  await server.startAgain()
  await server.say('room:harbour', { text: 'three' })
  await room.retryUntilLive()
  await room.isRoomLive()
  await room.says(['one', 'two', 'three'])
  await expect(room.page.getByText('As last seen')).toHaveCount(0)
})

test('another user on the same page sees nothing of the first’s rooms, nor of what they had not sent', EVERY_FRAMEWORK, async ({ room, server, network, page }) => {
  await server.say('room:kitchen', { text: 'Secret of the kitchen' })
  await room.openRoomLive('kitchen')
  await room.says(['Secret of the kitchen'])
  await expect.poll(() => savedText(page)).toContain('Secret of the kitchen')
  network.refuse(true)
  network.cut()
  await room.hasState('waiting')
  await room.say('Unsent secret')
  await room.hasMessage('Unsent secret', 'pending')
  await page.evaluate(() => {
    const leaks: string[] = []
    new MutationObserver(() => {
      const jun = document.querySelector<HTMLSelectElement>('select.user')?.value === 'jun'
      if (jun && document.body.innerText.toLowerCase().includes('secret')) leaks.push(document.body.innerText)
    }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true })
    Object.assign(window, { leaks })
  })
  await room.switchTo('Jun Mori')
  network.refuse(false)
  await room.hasRoomStatus('refused')
  await page.getByRole('link', { name: 'Harbour' }).click()
  await room.isRoomLive()
  await room.say('Hello from Jun')
  await room.allSent()
  expect(await page.evaluate(() => (window as unknown as { leaks: string[] }).leaks)).toEqual([])
  expect(await server.messages('room:kitchen'), 'Jun’s connection carried nothing of Mina').toEqual([{ text: 'Secret of the kitchen' }])

  // The message waited for its author.
  await room.switchTo('Mina Park')
  await room.openRoomLive('kitchen')
  await room.says(['Secret of the kitchen', 'Unsent secret'])
  await room.allSent()
  expect(await server.messages('room:kitchen')).toEqual([{ text: 'Secret of the kitchen' }, { text: 'Unsent secret' }])
})

test('signing out leaves nothing of rooms and outbox in the browser', EVERY_FRAMEWORK, async ({ room, server, network, page }) => {
  await server.say('room:kitchen', { text: 'Secret of the kitchen' })
  await room.openRoomLive('kitchen')
  await room.says(['Secret of the kitchen'])
  network.refuse(true)
  network.cut()
  await room.hasState('waiting')
  await room.say('Unsent secret')
  await expect.poll(() => savedText(page)).toMatch(/Secret of the kitchen.*Unsent secret|Unsent secret.*Secret of the kitchen/s)
  await room.switchTo('Sign out')
  await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible()
  await expect.poll(() => savedText(page)).not.toMatch(/secret/i)

  // None of it comes back, with or without a connection.
  await page.getByRole('main').getByRole('button', { name: 'Mina Park' }).click()
  await room.openRoom('kitchen')
  await room.hasState('waiting')
  await expect(page.getByText(/secret/i)).toHaveCount(0)
  network.refuse(false)
  await room.retryUntilLive()
  await room.isRoomLive()
  await room.says(['Secret of the kitchen'])
  expect(await server.messages('room:kitchen')).toEqual([{ text: 'Secret of the kitchen' }])
})
