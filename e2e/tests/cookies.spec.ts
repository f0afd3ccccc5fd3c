import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { expect, test } from '../harness/test.ts'

// A page of another origin than the server's, whose user is known by a cookie. Cookies ignore
// ports, so the page belongs to the server's site.

test.use({ serverConfig: '[auth]\ncookie = "session"\n' })

test('a page of an allowed origin is let in by its cookie on a socket, a stream and over REST, and a sandboxed one is not', async ({
  page,
  server,
}) => {
  const asked = await fetch(`${server.url}/dev/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user: 'mina' }),
  })
  const { token } = (await asked.json()) as { token: string }
  await page.context().addCookies([{ name: 'session', value: token, url: server.url, httpOnly: true, sameSite: 'Lax' }])
  const pages = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html>'))
  pages.listen(0, '127.0.0.1')
  await once(pages, 'listening')
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)

  /** The answer of each transport to a frame of the page. */
  const ways = async (url: string) => ({
    rest: await fetch(`${url}/v1/inbox`, { credentials: 'include' }).then(
      answer => answer.status,
      () => 'hidden',
    ),
    marked: await fetch(`${url}/v1/inbox/marks`, {
      method: 'POST',
      credentials: 'include',
      headers: { 'Content-Type': 'application/json' },
      body: '{"up_to":{"inbox":0,"everyone":0},"set":{"seen":true}}',
    }).then(
      answer => answer.status < 500 && answer.status !== 401 && answer.status !== 403,
      () => 'hidden',
    ),
    stream: await new Promise<string>(resolve => {
      const source = new EventSource(`${url}/v1/sse`, { withCredentials: true })
      source.onmessage = ({ data }) => {
        resolve((JSON.parse(data as string) as { type: string }).type)
        source.close()
      }
      source.onerror = () => {
        resolve('refused')
        source.close()
      }
    }),
    socket: await new Promise<string>(resolve => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`)
      socket.onopen = () => socket.send('{"type":"connect","version":1}')
      socket.onmessage = ({ data }) => {
        resolve((JSON.parse(data as string) as { type: string }).type)
        socket.close()
      }
      socket.onerror = () => resolve('refused')
    }),
  })
  expect(await page.evaluate(ways, server.url)).toEqual({ rest: 200, marked: true, stream: 'connected', socket: 'connected' })

  // Any page can hold such a frame, whose origin is `null`.
  await page.evaluate(() => {
    const frame = document.createElement('iframe')
    frame.sandbox.add('allow-scripts')
    frame.srcdoc = '<!doctype html>'
    document.body.append(frame)
  })
  const frame = await (await page.waitForSelector('iframe')).contentFrame()
  expect(await frame!.evaluate(ways, server.url)).toEqual({ rest: 'hidden', marked: 'hidden', stream: 'refused', socket: 'refused' })
  pages.close()
})
