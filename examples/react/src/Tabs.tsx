import type { KeyboardEvent } from 'react'

interface Tab<V extends string> {
  readonly value: V
  readonly label: string
  readonly count?: number
}

interface TabsProps<V extends string> {
  readonly label: string
  /** Id of the panel that they switch; a tab's id is `{panel}-{value}`. */
  readonly panel: string
  readonly value: V
  readonly tabs: readonly Tab<V>[]
  readonly onChange: (value: V) => void
}

/** Tabs after the ARIA pattern: the Tab key stops once, arrow keys move and select. */
export function Tabs<V extends string>({ label, panel, value, tabs, onChange }: TabsProps<V>) {
  function move(event: KeyboardEvent) {
    const at = tabs.findIndex(tab => tab.value === value)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key]
    const next = to === undefined ? undefined : tabs[(to + tabs.length) % tabs.length]
    if (next === undefined) return
    event.preventDefault()
    onChange(next.value)
    document.getElementById(`${panel}-${next.value}`)?.focus()
  }

  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map(tab => (
        <button
          key={tab.value}
          id={`${panel}-${tab.value}`}
          role="tab"
          aria-selected={tab.value === value}
          aria-controls={panel}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChange(tab.value)}
        >
          {tab.label}
          {tab.count !== undefined && tab.count > 0 && <span className="tab-count">{tab.count}</span>}
        </button>
      ))}
    </div>
  )
}
