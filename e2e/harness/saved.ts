import type { Page } from '@playwright/test'

/**
 * The contents of the page's IndexedDB, as text. Saving is debounced, so tests wait until the text
 * is there.
 */
export const savedText = (page: Page): Promise<string> => saved(page, false)

/** Only the saved inboxes. An unanswered mark is also in the outbox, but not yet in an inbox. */
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
        // The key of a user's inbox is the user; all other keys of the user go on after a tab.
        values.push(...found.filter((_, at) => !inboxesOnly || !String(keys[at]).includes('\t')))
      }
      db.close()
    }
    return JSON.stringify(values)
  }, inboxesOnly)
}
