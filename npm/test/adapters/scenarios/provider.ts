import { describe, expect, it } from 'vitest'

import { fakeClient } from '../fake-client.js'
import type { Harness } from '../harness.js'
import { complaints } from '../page.js'

export function provider({ mount, withoutProvider }: Harness): void {
  describe('who gives the client', () => {
    it('tells it its user before anything below makes it connect', async () => {
      const client = fakeClient()
      const order: string[] = []
      for (const readable of [client.inbox, client.connection]) {
        const { subscribe } = readable
        readable.subscribe = (fn: never) => {
          order.push('subscribed')
          return subscribe(fn)
        }
      }
      const { on } = client
      client.on = (event, fn) => {
        order.push('listening')
        return on(event, fn)
      }
      client.setUser = user => void order.push(`user ${user}`)
      await mount(client, { user: 'mina' })
      expect(order[0]).toBe('user mina')
      expect(order).toContain('subscribed')
      expect(order).toContain('listening')
    })

    it('passes on another user, and nobody, once each', async () => {
      const client = fakeClient()
      const page = await mount(client, { user: 'mina' })
      const told = () => client.calls.filter((call, at, all) => call !== all[at - 1])
      await page.set({ user: 'mina' })
      expect(told()).toEqual(['setUser "mina"'])
      await page.set({ user: 'jun' })
      await page.set({ user: null })
      expect(told()).toEqual(['setUser "mina"', 'setUser "jun"', 'setUser null'])
    })

    it('leaves the user alone where none is given', async () => {
      const client = fakeClient()
      await mount(client)
      expect(client.calls).toEqual([])
    })

    it('never closes or disconnects it, and says nothing any more once it is gone', async () => {
      const client = fakeClient()
      const page = await mount(client, { user: 'mina' })
      client.calls.length = 0
      await page.unmount()
      expect(client.calls).toEqual([])
    })
  })

  it('a hook where nobody gave a client says what is missing', () => {
    complaints()
    expect(() => withoutProvider()).toThrow(/tidings\/(react|svelte): .*(TidingsProvider|setTidings)/)
  })
}
