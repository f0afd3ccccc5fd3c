import { onMount } from 'svelte'
import type { TidingsEvents } from 'tidings'

import { useTidings } from './provider.js'

/**
 * Calls `fn` when something happens, for as long as the component is in the page:
 * `useTidingsEvent('arrived', item => toast(item.title))`.
 */
export function useTidingsEvent<E extends keyof TidingsEvents>(event: E, fn: (happened: TidingsEvents[E]) => void): void {
  const client = useTidings()
  onMount(() => client.on(event, fn))
}
