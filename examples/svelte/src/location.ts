// A small router: it follows deep links without leaving the page. Link.svelte is its other half.
import { createSubscriber } from 'svelte/reactivity'

const MOVED = 'moved'

const follow = createSubscriber(changed => {
  addEventListener('popstate', changed)
  addEventListener(MOVED, changed)
  return () => {
    removeEventListener('popstate', changed)
    removeEventListener(MOVED, changed)
  }
})

/** The page's address. */
export function useLocation(): { readonly current: URL } {
  return {
    get current() {
      follow()
      return new URL(location.href)
    },
  }
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
