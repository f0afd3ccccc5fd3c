import { useLayoutEffect, useRef, type RefObject } from 'react'

/** The largest distance to the end that counts as the end, in pixels. */
const NEAR = 48

/**
 * Keeps the reader's place in a list that grows at both ends: the end if they were there, else the
 * line they read. An own message always scrolls into view.
 */
export function useAnchor(messages: readonly { readonly key: string; readonly from: { readonly self: boolean } | null }[]): RefObject<HTMLDivElement | null> {
  const list = useRef<HTMLDivElement>(null)
  const last = useRef({ height: 0, first: '', last: '' })

  useLayoutEffect(() => {
    const element = list.current
    if (element === null) return
    const before = last.current
    const [first, newest] = [messages[0]?.key ?? '', messages.at(-1)]
    const grown = element.scrollHeight - before.height
    const own = newest?.key !== before.last && newest?.from?.self === true
    const atEnd = element.scrollTop + element.clientHeight >= before.height - NEAR
    if (own || atEnd) element.scrollTop = element.scrollHeight
    else if (first !== before.first) element.scrollTop += grown
    last.current = { height: element.scrollHeight, first, last: newest?.key ?? '' }
  }, [messages])

  return list
}
