import type { Tidings } from 'tidings'

/** How long an element must be half visible, in milliseconds. */
const VISIBLE_MS = 500
/** How long marks are collected before they are sent together, in milliseconds. */
const BATCH_MS = 100
const HALF = 0.5

/** The part of an item that `useSeen` needs. */
export interface SeenItem {
  readonly id: string
  readonly seen: boolean
}

interface Watched {
  readonly id: string
  visible: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

interface Watcher {
  watch(element: Element, id: string): () => void
}

// One observer for each client; it is collected with the client.
const watchers = new WeakMap<Tidings, Watcher>()

/**
 * Marks `id` seen once `element` was half visible for long enough. Returns a function that ends the
 * watch.
 */
export function watchSeen(client: Tidings, element: Element, id: string): () => void {
  if (typeof IntersectionObserver === 'undefined') return () => {}
  let watcher = watchers.get(client)
  if (watcher === undefined) {
    watcher = createWatcher(ids => void client.inbox.markSeen(ids))
    watchers.set(client, watcher)
  }
  return watcher.watch(element, id)
}

function createWatcher(markSeen: (ids: readonly string[]) => void): Watcher {
  const watched = new Map<Element, Watched>()
  let batch: string[] = []

  const collect = (id: string): void => {
    if (batch.push(id) > 1) return
    setTimeout(() => {
      const ids = batch
      batch = []
      markSeen(ids)
    }, BATCH_MS)
  }

  // A timer runs exactly while the element is in view and the page is visible.
  const follow = (element: Element, entry: Watched): void => {
    if (!entry.visible || document.visibilityState !== 'visible') {
      clearTimeout(entry.timer)
      entry.timer = undefined
    } else if (entry.timer === undefined) {
      entry.timer = setTimeout(() => {
        stop(element)
        collect(entry.id)
      }, VISIBLE_MS)
    }
  }

  const observer = new IntersectionObserver(
    changes => {
      for (const change of changes) {
        const entry = watched.get(change.target)
        if (entry === undefined) continue
        entry.visible = isHalfVisible(change)
        follow(change.target, entry)
      }
    },
    { threshold: [0, 0.25, HALF, 0.75, 1] },
  )
  const onVisibility = (): void => watched.forEach((entry, element) => follow(element, entry))

  const stop = (element: Element): void => {
    clearTimeout(watched.get(element)?.timer)
    observer.unobserve(element)
    watched.delete(element)
    if (watched.size === 0) document.removeEventListener('visibilitychange', onVisibility)
  }

  return {
    watch(element, id) {
      const entry: Watched = { id, visible: false, timer: undefined }
      if (watched.size === 0) document.addEventListener('visibilitychange', onVisibility)
      watched.set(element, entry)
      observer.observe(element)
      // The element may be watched for another item by now: end only the watch that was begun here.
      return () => {
        if (watched.get(element) === entry) stop(element)
      }
    },
  }
}

/**
 * Whether half of the element is in view. An element taller than the window has to fill half of the
 * window.
 */
function isHalfVisible({ isIntersecting, intersectionRatio, intersectionRect, rootBounds }: IntersectionObserverEntry): boolean {
  if (!isIntersecting) return false
  return intersectionRatio >= HALF || (rootBounds !== null && intersectionRect.height >= rootBounds.height * HALF)
}
