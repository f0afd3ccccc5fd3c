import { createSubscriber } from 'svelte/reactivity'
import type { Readable } from 'tidings'

import { combined } from '../adapter/combined.js'
import { shallowEqual } from '../adapter/shallow.js'
import { latest, type MaybeGetter } from './getter.js'
import { useMounted, type Mounted } from './provider.js'

/** A value with a reactive getter: effects that read `current` run again when it changes. */
export interface Current<T> {
  readonly current: T
}

/**
 * The value of a readable, such as `useReadable(tidings.outbox)`. On servers and while hydrating it
 * is `initial`.
 */
export function useReadable<T>(readable: MaybeGetter<Readable<T>>): Current<T>
/**
 * A selection of a readable's value. It changes only when the selection changes. Selections are
 * compared shallowly, so `select` may build an array or an object. `select` must be pure, but may
 * read state.
 */
export function useReadable<T, U>(readable: MaybeGetter<Readable<T>>, select: (value: T) => U): Current<U>
export function useReadable<T, U>(readable: MaybeGetter<Readable<T>>, select = (value: T) => value as unknown as U): Current<U> {
  const source = typeof readable === 'function' ? readable : () => readable
  return current(follow(source, useMounted(), select))
}

/** @internal */
export function current<T>(read: () => T): Current<T> {
  return Object.freeze({
    get current() {
      return read()
    },
  })
}

/**
 * A readable's value as an object with a reactive getter for each of its keys: an effect that reads
 * one runs again when that one changes. `source` is called at each reading, so it may return
 * another readable; otherwise it must return the same one.
 * @internal
 */
export function fields<T extends object>(source: () => Readable<T>, { keys, mounted }: { keys: T; mounted: Mounted }): T {
  const names = Object.keys(keys) as (keyof T)[]
  const getters = names.map((name) => [name, { enumerable: true, get: follow(source, mounted, (value) => value[name]) }])
  return Object.defineProperties({}, Object.fromEntries(getters)) as T
}

/**
 * Reads the selection of `source`'s readable, and makes Svelte track it.
 * @internal
 */
export function follow<T, U>(source: () => Readable<T>, mounted: Mounted, select: (value: T) => U): () => U {
  const read = latest(source, (readable) => {
    const { initial } = readable
    return tracked(combined(initial, [readable, mounted], () => (mounted.is() ? readable.get() : initial)), select)
  })
  return () => read()()
}

function tracked<T, U>(readable: Readable<T>, select: (value: T) => U): () => U {
  let last: U
  /** The current selection; the last one, if its content is the same. */
  const selected = (value: T) => {
    const next = select(value)
    if (!shallowEqual(last, next)) last = next
    return last
  }
  const track = createSubscriber((update) => {
    // A readable calls new subscribers at once. Skip that call: the effect that made Svelte
    // subscribe reads the value next.
    let shown: { readonly selection: U } | undefined
    return readable.subscribe((value) => {
      const selection = selected(value)
      if (shown !== undefined && shown.selection !== selection) update()
      shown = { selection }
    })
  })
  return () => {
    track()
    return selected(readable.get())
  }
}
