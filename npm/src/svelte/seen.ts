import { watchSeen, type SeenItem } from '../adapter/seen-watcher.js'
import { useTidings } from './provider.js'

/** The result of {@link useSeen}: an attachment and an action in one. */
export interface Seen {
  /** `<li {@attach seen(item)}>`, from Svelte 5.29 on. */
  (item: SeenItem): (element: Element) => () => void
  /** `<li use:seen={item}>`, in any Svelte 5. */
  (element: Element, item: SeenItem): { update(item: SeenItem): void; destroy(): void }
}

/**
 * Marks an item seen once its element was half visible for 500 ms in a visible page. Items that
 * come into view together are marked in one call: `const seen = useSeen()`, then
 * `<li {@attach seen(item)}>`.
 */
export function useSeen(): Seen {
  const client = useTidings()
  const watch = (element: Element, { id, seen }: SeenItem) => (seen ? () => {} : watchSeen(client, element, id))
  function seen(item: SeenItem): (element: Element) => () => void
  function seen(element: Element, item: SeenItem): { update(item: SeenItem): void; destroy(): void }
  function seen(...given: [SeenItem] | [Element, SeenItem]) {
    if (given.length === 1) return (element: Element) => watch(element, given[0])
    let [element, item] = given
    let end = watch(element, item)
    return {
      update(next: SeenItem) {
        if (next.id === item.id && next.seen === item.seen) return
        end()
        item = next
        end = watch(element, item)
      },
      destroy: () => end(),
    }
  }
  return seen
}
