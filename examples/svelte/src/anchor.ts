import type { Attachment } from 'svelte/attachments'

/** The largest distance to the end that counts as the end, in pixels. */
const NEAR = 48

interface Line {
  readonly key: string
  readonly from: { readonly self: boolean } | null
}

/**
 * Keeps the reader's place in a list that grows at both ends: the end if they were there, else the
 * line they read. An own message always scrolls into view.
 */
export function anchor(): (messages: readonly Line[]) => Attachment<HTMLElement> {
  let last = { height: 0, first: '', last: '' }
  return messages => element => {
    const before = last
    const [first, newest] = [messages[0]?.key ?? '', messages.at(-1)]
    const grown = element.scrollHeight - before.height
    const own = newest?.key !== before.last && newest?.from?.self === true
    const atEnd = element.scrollTop + element.clientHeight >= before.height - NEAR
    if (own || atEnd) element.scrollTop = element.scrollHeight
    else if (first !== before.first) element.scrollTop += grown
    last = { height: element.scrollHeight, first, last: newest?.key ?? '' }
  }
}
