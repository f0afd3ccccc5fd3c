/**
 * The types that bundlers give a module in development, as far as the samples need them: those of
 * `vite/client` and `webpack/module`.
 */
interface ImportMeta {
  readonly hot?: {
    // oxlint-disable-next-line no-explicit-any -- as Vite has it
    readonly data: any
    dispose(fn: () => void): void
  }
}
declare namespace NodeJS {
  interface Module {
    // oxlint-disable-next-line no-explicit-any -- as webpack has it
    readonly hot?: { readonly data?: any; dispose(fn: (data: any) => void): void }
  }
}
