import { onMount } from 'svelte'
import type { TidingsEvents } from 'tidings'

import { useTidings } from './provider.js'

/**
 * Calls `fn` on each event while the component is mounted:
 * `useTidingsEvent('arrived', item => toast(item.title))`.
 */
export function useTidingsEvent<E extends keyof TidingsEvents>(event: E, fn: (happened: TidingsEvents[E]) => void): void {
  const client = useTidings()
  onMount(() => client.on(event, fn))
}
