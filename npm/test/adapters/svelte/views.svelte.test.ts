// @vitest-environment jsdom
// Tests for Svelte alone; the others are in the scenarios.
import { flushSync, mount, settled, unmount, type Component } from 'svelte'
import { createTidings, type Connection, type InboxFilter, type Readable } from 'tidings'
import * as react from 'tidings/react'
import * as svelte from 'tidings/svelte'
import { setTidings, useChannel, useConnection, useNotifications, useReadable, useServerTime, useUnreadCount, type SeenItem } from 'tidings/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { fakeClient, item, live, readable, type FakeClient } from '../fake-client.js'
import Action from './Action.svelte'
import Attached from './Attached.svelte'
import Host from './Host.svelte'
import Stores from './Stores.svelte'

let client: FakeClient
const components: object[] = []

function show<P extends Record<string, unknown>>(component: Component<P>, props: P): void {
  components.push(mount(component, { target: document.body, props }))
  flushSync()
}

async function leave(): Promise<void> {
  for (const component of components.splice(0)) await unmount(component)
  await settled()
}

/** Runs `init` as a component's script does, below a component that provides the client. */
const host = (init: () => () => unknown): void =>
  show(Host, {
    init() {
      setTidings(client)
      return init()
    },
  })
const shown = (): string | null | undefined => document.querySelector('[data-part="host"]')?.textContent

beforeEach(() => {
  document.body.replaceChildren()
  client = fakeClient()
})
afterEach(async () => {
  await leave()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('has every hook that React has, by the same name', () => {
  const hooks = (names: object): string[] => Object.keys(names).filter(name => name.startsWith('use')).sort()
  expect(hooks(svelte)).toEqual(hooks(react))
})

describe('the client’s readables', () => {
  it('are stores: `$inbox` follows them, and lets go', async () => {
    show(Stores, { client })
    expect(shown()).toBe('idle 0 0')
    client.inbox.set(live([item('a')]))
    client.connection.set({ ...client.connection.get(), status: 'connected' })
    flushSync()
    expect(shown()).toBe('connected 1 0')
    await leave()
    expect([client.inbox.subscribers(), client.connection.subscribers()]).toEqual([0, 0])
  })

  it('are stores also as the real client makes them', () => {
    const tidings = createTidings({ url: 'http://localhost:1', ticket: () => null, user: null, storage: 'memory' })
    show(Stores, { client: tidings })
    flushSync()
    expect(shown()).toBe('signed-out 0 0')
    tidings.close()
    flushSync()
    expect(shown()).toBe('closed 0 0')
  })
})

describe('a channel', () => {
  it('is read while something shows it, and changes with its name', async () => {
    let name = $state<`room:${string}` | null>('room:1')
    host(() => {
      const room = useChannel(() => name)
      return () => `${room.status} ${room.messages.length}`
    })
    // Each getter that the component reads is one subscription.
    const [one, two] = [client.roomOf('room:1'), client.roomOf('room:2')]
    expect([shown(), one.subscribers()]).toEqual(['idle 0', 2])
    one.set({ ...one.initial, status: 'live' })
    flushSync()
    expect(shown()).toBe('live 0')
    name = 'room:2'
    flushSync()
    await settled()
    expect([shown(), one.subscribers(), two.subscribers()]).toEqual(['idle 0', 0, 2])
    name = null
    flushSync()
    await settled()
    expect([shown(), two.subscribers()]).toEqual(['idle 0', 0])
  })

  it('is published to by functions that need no `this`, and not without one', async () => {
    let name = $state<`room:${string}` | null>('room:1')
    let room: ReturnType<typeof useChannel> | undefined
    host(() => {
      room = useChannel(() => name)
      return () => ''
    })
    const publish = room?.publish
    await publish?.({ text: 'hi' })
    expect(client.calls.at(-1)).toBe('publish {"text":"hi"}')
    name = null
    await expect(publish?.('x')).rejects.toThrow('null')
  })
})

describe('a getter', () => {
  it('read outside of an effect is the value of now, and subscribes to nothing', () => {
    let connection: Connection | undefined
    host(() => {
      connection = useConnection()
      return () => ''
    })
    client.connection.set({ ...client.connection.get(), status: 'connected' })
    expect(connection?.status).toBe('connected')
    expect(client.connection.subscribers()).toBe(0)
  })

  it('runs again what has read it, and not what has read another', () => {
    const runs = { items: 0, hasMore: 0 }
    host(() => {
      const inbox = useNotifications()
      $effect(() => {
        void inbox.items
        runs.items += 1
      })
      $effect(() => {
        void inbox.hasMore
        runs.hasMore += 1
      })
      return () => inbox.items.length
    })
    const items = [item('a')]
    client.inbox.set(live(items))
    flushSync()
    expect(runs).toEqual({ items: 2, hasMore: 1 })
    client.inbox.set(live(items, { hasMore: true }))
    flushSync()
    expect(runs).toEqual({ items: 2, hasMore: 2 })
  })

  it('may be read in a $derived, also before anything is shown of it', () => {
    let twice: () => number = () => -1
    host(() => {
      const unread = useUnreadCount()
      const doubled = $derived(unread.current * 2)
      twice = () => doubled
      return () => doubled
    })
    client.inbox.set(live([item('a')]))
    flushSync()
    expect([shown(), twice()]).toEqual(['2', 2])
  })

  it('is one subscription, however many read it', () => {
    host(() => {
      const connection = useConnection()
      for (const _ of [1, 2, 3]) $effect(() => void connection.status)
      return () => connection.status
    })
    expect(client.connection.subscribers()).toBe(1)
  })

  it('of another component lives on when one leaves', async () => {
    let present = $state(true)
    host(() => {
      const unread = useUnreadCount()
      $effect(() => {
        if (present) $effect(() => void unread.current)
      })
      return () => unread.current
    })
    present = false
    await settled()
    client.inbox.set(live([item('a')]))
    flushSync()
    expect(shown()).toBe('1')
  })
})

describe('a view', () => {
  it('follows state that its filter reads, and loads more of what it shows', async () => {
    let filter = $state.raw<InboxFilter>({ show: 'unread' })
    const archived = client.viewOf({ show: 'archived', type: [] })
    archived.set(live([item('old')]))
    host(() => {
      const inbox = useNotifications(() => filter)
      return () => inbox.items.map(({ id }) => id)
    })
    expect(shown()).toBe('')
    filter = { show: 'archived' }
    await settled()
    expect(shown()).toBe('old')
    expect(client.viewOf({ show: 'unread', type: [] }).subscribers()).toBe(0)
  })

  it('with a plain filter stays what it is', () => {
    client.viewOf({ show: 'archived', type: [] }).set(live([item('old')]))
    host(() => {
      const inbox = useNotifications({ show: 'archived' })
      return () => inbox.items.length
    })
    expect(shown()).toBe('1')
  })
})

describe('useReadable', () => {
  it('works where nobody gave a client', async () => {
    const source = readable(1)
    show(Host, {
      init() {
        const value = useReadable(source)
        return () => value.current
      },
    })
    source.set(2)
    flushSync()
    expect(shown()).toBe('2')
    await leave()
    expect(source.subscribers()).toBe(0)
  })

  it('follows another readable and leaves the first', async () => {
    const [first, second] = [readable(1), readable(2)]
    let source = $state.raw<Readable<number>>(first)
    host(() => {
      const value = useReadable(() => source)
      return () => value.current
    })
    expect(shown()).toBe('1')
    source = second
    await settled()
    expect([shown(), first.subscribers(), second.subscribers()]).toEqual(['2', 0, 1])
  })

  it('follows state that its selection reads, and keeps a selection of the same content', async () => {
    const source = readable({ a: [1], b: [20] })
    let key = $state<'a' | 'b'>('a')
    const selections = new Set<unknown>()
    host(() => {
      const value = useReadable(source, whole => ({ [key]: whole[key][0] }))
      return () => {
        selections.add(value.current)
        return JSON.stringify(value.current)
      }
    })
    source.set({ a: [1], b: [30] })
    flushSync()
    expect([shown(), selections.size]).toEqual(['{"a":1}', 1])
    key = 'b'
    flushSync()
    expect([shown(), selections.size]).toEqual(['{"b":30}', 2])
  })
})

it('the time is read as often as its options say by now', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  let every = $state(1000)
  host(() => {
    const time = useServerTime(() => ({ every }))
    return () => time.current
  })
  client.setNow(1)
  vi.advanceTimersByTime(1000)
  flushSync()
  expect(shown()).toBe('1')
  every = 10_000
  flushSync()
  client.setNow(2)
  vi.advanceTimersByTime(9_999)
  flushSync()
  expect(shown()).toBe('1')
  vi.advanceTimersByTime(1)
  flushSync()
  expect(shown()).toBe('2')
})

it('the user may be a plain value', () => {
  show(Host, {
    init() {
      setTidings(client, 'mina')
      return () => ''
    },
  })
  expect(client.calls).toEqual(['setUser "mina"'])
})

it('the user is not followed any more when the component has left', async () => {
  let user = $state('mina')
  show(Host, {
    init() {
      setTidings(client, () => user)
      return () => ''
    },
  })
  await leave()
  user = 'jun'
  await settled()
  expect(client.calls).toEqual(['setUser "mina"'])
})

describe('useSeen', () => {
  const observed = new Set<Element>()
  let watches = 0
  let items = $state.raw<SeenItem[]>([])

  beforeEach(() => {
    observed.clear()
    watches = 0
    items = [{ id: 'a', seen: false }]
    vi.stubGlobal(
      'IntersectionObserver',
      class {
        observe(element: Element): void {
          observed.add(element)
          watches += 1
        }
        unobserve(element: Element): void {
          observed.delete(element)
        }
      },
    )
  })

  for (const [name, component] of [['an action', Action], ['an attachment', Attached]] as const) {
    it(`is ${name} that follows its item`, async () => {
      show(component as Component<Record<string, unknown>>, {
        client,
        get items() {
          return items
        },
      })
      expect([observed.size, watches]).toEqual([1, 1])
      items = [{ id: 'a', seen: true }]
      await settled()
      expect(observed.size).toBe(0)
      items = [{ id: 'b', seen: false }]
      await settled()
      expect([observed.size, watches]).toEqual([1, 2])
      await leave()
      expect(observed.size).toBe(0)
    })
  }

  it('as an action does not begin again for an item that is the same but for its identity', async () => {
    show(Action as Component<Record<string, unknown>>, {
      client,
      get items() {
        return items
      },
    })
    items = [{ id: 'a', seen: false }]
    await settled()
    expect(watches).toBe(1)
  })
})
