/** Stand-ins for the state that a browser shares among its pages, as far as lanes use it. */

type Work = (lock: object | null) => unknown

/**
 * The Web Locks of one browser, as far as lanes use them: the first request gets the lock, others
 * queue.
 */
export class Locks {
  readonly #held = new Set<string>()
  readonly #waiting = new Map<string, (() => void)[]>()

  async request(name: string, options: LockOptions | Work, then?: Work): Promise<unknown> {
    const [{ ifAvailable = false, signal }, work] = typeof options === 'function' ? [{}, options] : [options, then as Work]
    if (this.#held.has(name)) {
      if (ifAvailable) return work(null)
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(name, [...this.#row(name), resolve])
        signal?.addEventListener('abort', () => {
          this.#waiting.set(name, this.#row(name).filter((one) => one !== resolve))
          reject(signal.reason as Error)
        })
      })
    }
    this.#held.add(name)
    try {
      return await work({ name })
    } finally {
      this.#release(name)
    }
  }

  #release(name: string) {
    this.#held.delete(name)
    const [next, ...rest] = this.#row(name)
    this.#waiting.set(name, rest)
    next?.()
  }

  /** Ends the page that holds the lock. */
  kill(name: string) {
    this.#release(name)
  }

  holds(name: string): boolean {
    return this.#held.has(name)
  }

  /** The number of requests that wait for any lock. */
  get waiting(): number {
    return [...this.#waiting.values()].flat().length
  }

  #row(name: string) {
    return this.#waiting.get(name) ?? []
  }
}

/** The `localStorage` of one browser. */
export class Journal {
  readonly #values = new Map<string, string>()
  /** The `storage` events that other pages would receive. */
  readonly events: Event[] = []

  get size(): number {
    return this.#values.size
  }

  /** `localStorage` as a page sees it: keys are properties. */
  shown(): object {
    const tell = (key: string, newValue: string | null) => this.events.push(Object.assign(new Event('storage'), { key, newValue }))
    const methods: Record<string, unknown> = {
      getItem: (key: string) => this.#values.get(key) ?? null,
      setItem: (key: string, value: string) => {
        this.#values.set(key, value)
        tell(key, value)
      },
      removeItem: (key: string) => {
        if (this.#values.delete(key)) tell(key, null)
      },
    }
    return new Proxy(
      {},
      {
        get: (_, name) => methods[String(name)] ?? this.#values.get(String(name)),
        ownKeys: () => [...this.#values.keys()],
        getOwnPropertyDescriptor: (_, name) => ({ value: this.#values.get(String(name)), enumerable: true, configurable: true }),
      },
    )
  }
}
