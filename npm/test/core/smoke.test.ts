// @vitest-environment jsdom
import { createTidings } from 'tidings'
import { expect, test } from 'vitest'
import { FakeServer } from './fake-server.js'

test('a notification travels from the socket to a subscriber', async () => {
  const server = new FakeServer()
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory' })
  const seen: number[] = []
  client.inbox.subscribe((inbox) => { seen.push(inbox.items.length); server.changed() })
  client.connection.subscribe((c) => { console.log(c.status, c.error?.message); server.changed() })
  const socket = await server.accept()
  console.log(socket.sent)
  await server.until(() => client.inbox.get().status === 'live')
  socket.say(server.notification())
  expect(client.inbox.get().items[0]?.title).toBe('Title 1')
  console.log(client.inbox.get(), client.explain())
  client.close()
})
