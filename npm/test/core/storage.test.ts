import { IDBDatabase, IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb'
import { beforeEach, expect, test, vi } from 'vitest'
import { mayReplace } from '../../src/lazy/saving.js'
import { storage } from '../../src/storage.js'

const fence = (inbox: number, system = 0, over: string[] = []) => ({ cursors: [['A', inbox], ['B', system]] as const, over })

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
})

test('opens nothing before it is needed', () => {
  const open = vi.spyOn(indexedDB, 'open')
  storage(() => 'ws://a')
  expect(open).not.toHaveBeenCalled()
})

test('gives back what was saved, by server and user', async () => {
  const a = storage(() => 'ws://a')
  const b = storage(() => 'ws://b')
  await a.save({ user: 'u1', ...fence(1), text: 'text' })
  expect(await a.load('u1')).toBe('text')
  expect(await a.load('u2')).toBeUndefined()
  expect(await b.load('u1')).toBeUndefined()
})

test('writes only over lower offsets of the same epochs, or over an epoch that was left', async () => {
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(5, 5), text: 'five' })
  await caches.save({ user: 'u1', ...fence(4, 9), text: 'lower inbox' })
  await caches.save({ user: 'u1', ...fence(9, 4), text: 'lower system' })
  expect(await caches.load('u1')).toBe('five')
  await caches.save({ user: 'u1', ...fence(5, 5), text: 'equal' })
  expect(await caches.load('u1')).toBe('equal')
  await caches.save({ user: 'u1', cursors: [['C', 1], ['B', 5]], over: [], text: 'foreign epoch' })
  expect(await caches.load('u1')).toBe('equal')
  await caches.save({ user: 'u1', cursors: [['C', 1], ['B', 5]], over: ['A'], text: 'new epoch' })
  expect(await caches.load('u1')).toBe('new epoch')
})

test('keeps so many channels of a user, and lets the one go that was written longest ago', async () => {
  const caches = storage(() => 'ws://a', 3)
  const save = (user: string, at = 1) => caches.save({ user, ...fence(at, at), text: user })
  const left = async (user: string) => {
    const names = ['room:1', 'room:2', 'room:3', 'room:4', 'room:5']
    const found = await Promise.all(names.map((name) => caches.load(`${user}\t${name}`)))
    return names.filter((_, place) => found[place] !== undefined)
  }
  for (const room of ['room:1', 'room:2', 'room:3']) await save(`u1\t${room}`)
  await save('u1')
  await save('u2\troom:1')
  expect(await left('u1')).toEqual(['room:1', 'room:2', 'room:3'])
  await save('u1\troom:1', 2)
  await save('u1\troom:4')
  expect(await left('u1')).toEqual(['room:1', 'room:3', 'room:4'])
  // A cache that may not be written replaces no other.
  await save('u1\troom:1', 1)
  await save('u1\troom:5')
  await save('u1\troom:5', 2)
  expect(await left('u1')).toEqual(['room:1', 'room:4', 'room:5'])
  expect(await caches.load('u1'), 'an inbox counts for nothing').toBe('u1')
  expect(await left('u2'), 'nor does another user').toEqual(['room:1'])
  await caches.wipe('u1')
  expect(await left('u1')).toEqual([])
  await save('u1\troom:2')
  expect(await left('u1')).toEqual(['room:2'])
})

test('two tabs that save at once leave the newer', async () => {
  const [one, two] = [storage(() => 'ws://a'), storage(() => 'ws://a')]
  await Promise.all([one.save({ user: 'u1', ...fence(7), text: 'seven' }), two.save({ user: 'u1', ...fence(6), text: 'six' })])
  expect(await one.load('u1')).toBe('seven')
})

test('wipes one user and no other', async () => {
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'one' })
  await caches.save({ user: 'u2', ...fence(1), text: 'two' })
  await caches.wipe('u1')
  expect(await caches.load('u1')).toBeUndefined()
  expect(await caches.load('u2')).toBe('two')
})

test('a record of another shape is nothing, and is written over', async () => {
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(9), text: 'text' })
  const db = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open('tidings')
    request.onsuccess = () => resolve(request.result)
  })
  await new Promise((resolve) => {
    const transaction = db.transaction('caches', 'readwrite')
    transaction.objectStore('caches').put({ text: 7 }, 'ws://a\nu1')
    transaction.oncomplete = resolve
  })
  expect(await caches.load('u1')).toBeUndefined()
  await caches.save({ user: 'u1', ...fence(1), text: 'anew' })
  expect(await caches.load('u1')).toBe('anew')
})

test('a database that can\'t be opened is deleted and made anew', async () => {
  // Opening with a lower version fails after a newer version of the package was here.
  await new Promise<void>((resolve) => {
    const request = indexedDB.open('tidings', 99)
    request.onsuccess = () => {
      request.result.close()
      resolve()
    }
  })
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  expect(await caches.load('u1')).toBe('text')
})

test('a database without its store is made anew too', async () => {
  await new Promise<void>((resolve) => {
    const request = indexedDB.open('tidings', 1)
    request.onsuccess = () => {
      request.result.close()
      resolve()
    }
  })
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  expect(await caches.load('u1')).toBe('text')
})

test('a transaction that fails says why', async () => {
  const caches = storage(() => 'ws://a')
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...given) {
    return this.add(...given)
  })
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  await expect(caches.save({ user: 'u1', ...fence(2), text: 'again' })).rejects.toMatchObject({ name: 'ConstraintError' })
})

test('no storage is an error, and tried again the next time', async () => {
  vi.stubGlobal('indexedDB', undefined)
  const caches = storage(() => 'ws://a')
  await expect(caches.load('u1')).rejects.toThrow()
  vi.stubGlobal('indexedDB', new IDBFactory())
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  expect(await caches.load('u1')).toBe('text')
})

test('another tab may delete the database meanwhile', async () => {
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  await new Promise((resolve) => {
    indexedDB.deleteDatabase('tidings').onsuccess = resolve
  })
  expect(await caches.load('u1')).toBeUndefined()
  await caches.save({ user: 'u1', ...fence(1), text: 'anew' })
  expect(await caches.load('u1')).toBe('anew')
})

test('a cache of fewer channels may be replaced', () => {
  expect(mayReplace([], fence(1))).toBe(true)
})

test('a connection that is gone without a word is opened again', async () => {
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'one' })
  const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
    throw new DOMException('The database connection is closing.', 'InvalidStateError')
  })
  expect(await caches.load('u1')).toBe('one')
  transaction.mockImplementationOnce(() => {
    throw new DOMException('Connection to Indexed Database server lost. Refresh the page to try again', 'UnknownError')
  })
  await caches.save({ user: 'u1', ...fence(2), text: 'two' })
  expect(await caches.load('u1')).toBe('two')
})

test.each([
  ['out of reach', 'UnknownError', 'Connection to Indexed Database server lost. Refresh the page to try again'],
  ['full', 'QuotaExceededError', 'Encountered full disk while opening backing store for indexedDB.open.'],
  ['in the way of another', 'AbortError', 'The transaction was aborted.'],
])('a database that is %s is not made anew, because unsent intents are in it', async (_, name, message) => {
  await storage(() => 'ws://a').save({ user: 'u1', ...fence(1), text: 'kept' })
  const remove = vi.spyOn(indexedDB, 'deleteDatabase')
  const refuse = () => {
    throw new DOMException(message, name)
  }
  const open = vi.spyOn(indexedDB, 'open').mockImplementationOnce(refuse).mockImplementationOnce(refuse)
  await expect(storage(() => 'ws://a').load('u1')).rejects.toThrow(message)
  expect(open).toHaveBeenCalledTimes(2)
  expect(remove).not.toHaveBeenCalled()
  expect(await storage(() => 'ws://a').load('u1')).toBe('kept')
})

test('a database that is broken is made anew', async () => {
  vi.spyOn(indexedDB, 'open').mockImplementationOnce(() => {
    throw new DOMException('Internal error opening backing store for indexedDB.open.', 'UnknownError')
  })
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'text' })
  expect(await caches.load('u1')).toBe('text')
})

test('a page of WebKit’s that goes into the back/forward cache takes no transaction along, and goes on when it is shown again', async () => {
  const elsewhere = storage(() => 'ws://b')
  // Its first save also deletes old data.
  await elsewhere.save({ user: 'u1', ...fence(0), text: 'first' })
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('navigator', { vendor: 'Apple Computer, Inc.' })
  const tell = (name: string) => page.dispatchEvent(Object.assign(new Event(name), { persisted: true }))
  const caches = storage(() => 'ws://a')
  await caches.save({ user: 'u1', ...fence(1), text: 'one' })

  const begin = IDBDatabase.prototype.transaction
  const began: IDBTransaction[] = []
  vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args: Parameters<typeof begin>) {
    began.push(begin.apply(this, args))
    return began.at(-1)!
  })
  const under = caches.save({ user: 'u1', ...fence(2), text: 'two' })
  while (began.length === 0) await Promise.resolve()
  const aborted = new Promise((resolve) => began[0]?.addEventListener('abort', resolve))
  tell('pagehide')
  await aborted
  const late = caches.save({ user: 'u1', ...fence(3), text: 'three' })
  // A transaction of another page: an open one of this page would block it.
  vi.stubGlobal('navigator', { vendor: '' })
  await elsewhere.save({ user: 'u1', ...fence(1), text: 'elsewhere' })
  expect(began).toHaveLength(2)

  tell('pageshow')
  await Promise.all([under, late])
  expect(await caches.load('u1')).toBe('three')
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

const DAY = 86_400_000

test('a cache that was not written anew for so many days is neither shown nor in the way', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const page = () => storage(() => 'ws://a', undefined, 2)
  await page().save({ user: 'u1', ...fence(5), text: 'old' })
  vi.setSystemTime(Date.now() + 2 * DAY - 1)
  expect(await page().load('u1')).toBe('old')
  vi.setSystemTime(Date.now() + 2)
  expect(await page().load('u1')).toBeUndefined()
  await page().save({ user: 'u1', cursors: [['C', 1], ['B', 5]], over: [], text: 'new' })
  expect(await page().load('u1')).toBe('new')
  vi.useRealTimers()
})

/** All keys of the database and of the journal. */
async function kept() {
  const keys = await storage(() => 'ws://a').transact('readonly', '', (store) => store.getAllKeys())
  return [...keys.map(String), ...Object.keys(localStorage)].filter((key) => key.includes('ws://')).sort()
}

test('of a user who did not come back nothing stays, and what another has not sent does', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const rows = new Map<string, string>()
  vi.stubGlobal('localStorage', new Proxy({}, {
    get: (_, name) => ({ getItem: (key: string) => rows.get(key) ?? null, removeItem: (key: string) => rows.delete(key) })[String(name)],
    ownKeys: () => [...rows.keys()],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  }))
  const early = Date.now()
  const first = storage(() => 'ws://a')
  const row = (key: string) => first.transact('readwrite', '', (store) => store.put(`1${early}\n{}`, key))
  for (const user of ['gone', 'gone\troom:1', 'back', 'back\troom:1']) await first.save({ user, ...fence(1), text: user })
  await first.transact('readwrite', '', (store) => store.put(1, 'ws://a\ngone\n'))
  for (const user of ['gone', 'back', 'sent']) await row(`ws://a\n${user}\t\tl-1\t0000000000000001`)
  rows.set('tidings\nws://b\ngone\t\tl-2\t0000000000000001', `~96\n${early}\n1\nread\n*`)
  rows.set('tidings\nws://b\nback\t\tl-2\t0000000000000001', `~96\n${early + 30 * DAY}\n1\nread\n*`)
  vi.setSystemTime(early + 31 * DAY)
  await storage(() => 'ws://a').save({ user: 'back', ...fence(2), text: 'again' })
  expect(await kept()).toEqual([
    'tidings\nws://b\nback\t\tl-2\t0000000000000001',
    'ws://a\nback',
    'ws://a\nback\t',
    'ws://a\nback\t\tl-1\t0000000000000001',
    'ws://a\ngone\n',
  ])
  vi.useRealTimers()
})

test('the storage is looked through once a day, however many pages save', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const looked = vi.spyOn(IDBObjectStore.prototype, 'openCursor')
  const save = () => storage(() => 'ws://a').save({ user: 'u1', ...fence(1), text: 'x' })
  await save()
  await save()
  vi.setSystemTime(Date.now() + DAY)
  await save()
  expect(looked).toHaveBeenCalledTimes(2)
  looked.mockRestore()
  vi.useRealTimers()
})
