import type { Page } from '@playwright/test'

/** Everything the page's IndexedDB holds, as text. Saving is debounced: tests wait until what they need is in it. */
export function savedText(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const result = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    const values: unknown[] = []
    for (const { name } of await indexedDB.databases()) {
      const db = await result(indexedDB.open(name ?? ''))
      for (const store of db.objectStoreNames) values.push(...(await result(db.transaction(store).objectStore(store).getAll())))
      db.close()
    }
    return JSON.stringify(values)
  })
}
