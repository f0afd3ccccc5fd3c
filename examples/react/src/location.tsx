// A small router: it follows deep links without leaving the page.
import { useMemo, useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from 'react'

const MOVED = 'moved'

function subscribe(changed: () => void) {
  addEventListener('popstate', changed)
  addEventListener(MOVED, changed)
  return () => {
    removeEventListener('popstate', changed)
    removeEventListener(MOVED, changed)
  }
}

/** The page's address. */
export function useLocation(): URL {
  const href = useSyncExternalStore(subscribe, () => location.href)
  return useMemo(() => new URL(href), [href])
}

export function navigate(href: string) {
  history.pushState(null, '', href)
  dispatchEvent(new Event(MOVED))
  document.getElementById('main')?.focus({ preventScroll: true })
  scrollTo(0, 0)
}

export function isExternal(href: string) {
  return new URL(href, location.href).origin !== location.origin
}

/** A link that stays in the page if it can, and opens a new tab for other sites. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const external = isExternal(href)
  function follow(event: MouseEvent<HTMLAnchorElement>) {
    onClick?.(event)
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (external || !plain || event.defaultPrevented) return
    event.preventDefault()
    navigate(href)
  }
  return <a {...rest} href={href} onClick={follow} {...(external && { target: '_blank', rel: 'noopener noreferrer' })} />
}
