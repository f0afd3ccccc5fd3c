/**
 * A part of the package that loads when it is needed, and loads again after a failure. Chromium and
 * Firefox remember a failed import as long as the page lasts, so the next try uses another URL: the
 * one in their error message, with a query. Safari imports again by itself.
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
