/**
 * A part of the package that loads later, and is asked for again where that failed. Chromium and Firefox remember a failure for
 * as long as the page lives: there the next try goes by another address, which their words name. Safari asks again by itself.
 */
export function chunk<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  let tries = 0
  const otherwise = (error: unknown): Promise<T> => {
    const [, url] = /module: (https?:\S+)$/.exec(String(error)) ?? []
    if (url === undefined) throw error
    return import(/* @vite-ignore */ /* webpackIgnore: true */ `${url}?again=${++tries}`) as Promise<T>
  }
  return () =>
    (loaded ??= load()
      .catch(otherwise)
      .catch((error: unknown) => {
        loaded = undefined
        throw error
      }))
}
