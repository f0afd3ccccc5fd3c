'use client'
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { Readable } from 'tidings'

import { shallowEqual } from '../adapter/shallow.js'

const whole = (value: unknown): unknown => value

/**
 * The value of a readable; renders again when it changes. On servers and while hydrating it is
 * `initial`.
 */
export function useReadable<T>(readable: Readable<T>): T
/**
 * A selection of a readable's value; renders again only when the selection changes. Selections are
 * compared shallowly, so `select` may build an array or an object. `select` must be pure and may be
 * written inline.
 */
export function useReadable<T, U>(readable: Readable<T>, select: (value: T) => U): U
export function useReadable<T, U>(readable: Readable<T>, select = whole as (value: T) => U): U {
  const shown = useRef<{ readonly selected: U } | null>(null)
  const [read, readInitial] = useMemo(() => {
    const pick = selector(select, () => shown.current)
    return [() => pick(readable.get()), () => pick(readable.initial)] as const
  }, [readable, select])
  // A readable calls new subscribers at once. React then compares the snapshots and does nothing.
  const subscribe = useCallback((changed: () => void) => readable.subscribe(() => changed()), [readable])
  const selected = useSyncExternalStore(subscribe, read, readInitial)
  useEffect(() => {
    shown.current = { selected }
  }, [selected])
  return selected
}

/**
 * React reads a snapshot more than once per render and expects the same object, so the last
 * selection is kept while the value is the same. When an inline `select` is new, the selection on
 * screen is kept if it equals the new one.
 */
function selector<T, U>(select: (value: T) => U, onScreen: () => { readonly selected: U } | null): (value: T) => U {
  let last: { readonly value: T; readonly selected: U } | null = null
  return value => {
    if (last !== null && Object.is(last.value, value)) return last.selected
    const fresh = select(value)
    const kept = last ?? onScreen()
    const selected = kept !== null && shallowEqual(kept.selected, fresh) ? kept.selected : fresh
    last = { value, selected }
    return selected
  }
}
