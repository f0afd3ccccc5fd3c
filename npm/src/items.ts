import { isObject, record } from './untrusted.js'
import type { RawItem } from './generated/ops.js'
import { routeLink, safeLink } from './url.js'
import type { InboxItem } from './types.js'

type Whole = Exclude<RawItem, { length: 2 }>

/** The fields of an item that never change. */
type Fixed = Pick<InboxItem, 'id' | 'type' | 'title' | 'message' | 'url' | 'data' | 'at'>

/** The items that the core has described, one frozen object per state. */
export interface Items {
  take(entry: RawItem): InboxItem | undefined
  forget(numbers: readonly number[]): void
}

export function items(): Items {
  const known = new Map<number, { readonly flags: number; readonly item: InboxItem }>()
  return {
    take(entry) {
      const [number, flags] = entry
      const before = known.get(number)
      if (before?.flags === flags) return before.item
      const fixed = before?.item ?? (entry.length === 2 ? undefined : fix(entry))
      if (!fixed) return undefined
      const item = Object.freeze({
        ...fixed,
        read: (flags & 1) !== 0,
        seen: (flags & 2) !== 0,
        archived: (flags & 4) !== 0,
        pending: (flags & 8) !== 0,
      }) as InboxItem
      known.set(number, { flags, item })
      return item
    },
    forget(numbers) {
      for (const number of numbers) known.delete(number)
    },
  }
}

/**
 * Reads a body. It comes from the app's backend, so any field may be missing or of another type.
 */
function fix([, , id, type, at, body]: Whole): Fixed {
  const { title, message, url, data = null } = record(body)
  const link = safeLink(url) ?? routeLink(data)
  return {
    id,
    type,
    title: typeof title === 'string' ? title : '',
    ...(typeof message === 'string' && { message }),
    ...(link && { url: link }),
    data: freeze(data) as Fixed['data'],
    at,
  }
}

/** Freezes deeply; the protocol bounds the depth to 32. */
function freeze(value: unknown): unknown {
  if (isObject(value)) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}
