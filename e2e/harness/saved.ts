import type { Page } from '@playwright/test'

/** Everything the page's IndexedDB holds, as text. Saving is debounced: tests wait until what they need is in it. */
export const savedText = (page: Page): Promise<string> => saved(page, false)

/** The saved inboxes alone. A mark that is still on its way is in the outbox too, and in no inbox yet. */
export const savedInboxes = (page: Page): Promise<string> => saved(page, true)

function saved(page: Page, inboxesOnly: boolean): Promise<string> {
  return page.evaluate(async (inboxesOnly) => {
    const result = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    const values: unknown[] = []
    for (const { name } of await indexedDB.databases()) {
      const db = await result(indexedDB.open(name ?? ''))
      for (const name of db.objectStoreNames) {
        const store = db.transaction(name).objectStore(name)
        const [keys, found] = await Promise.all([result(store.getAllKeys()), result(store.getAll())])
        // A user's inbox has the user's key, all else of theirs more behind a tab.
        values.push(...found.filter((_, at) => !inboxesOnly || !String(keys[at]).includes('\t')))
      }
      db.close()
    }
    return JSON.stringify(values)
  }, inboxesOnly)
}
