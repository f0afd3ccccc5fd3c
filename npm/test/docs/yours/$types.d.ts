/** The types that SvelteKit generates for the app's routes, as far as the samples need them. */
import type { InitialInbox } from 'tidings/svelte'

interface User {
  readonly id: string
}
export interface RequestEvent {
  readonly request: Request
  readonly locals: { readonly user: User | null }
}
export type LayoutServerLoad = (event: RequestEvent) => Promise<{ readonly user: User | null; readonly inbox: InitialInbox | null }>
