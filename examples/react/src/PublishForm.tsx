import { useId, useState, type FormEvent } from 'react'

import { notify, type Draft } from './api'

type Result = { readonly sent: string } | { readonly failed: string }

/** Publishes through the example's own backend, as an app's backend would. */
export function PublishForm({ types }: { types: readonly string[] }) {
  const id = useId()
  const [busy, setBusy] = useState(false)
  const [result, setResult] = useState<Result | null>(null)

  async function publish(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const draft = Object.fromEntries(new FormData(event.currentTarget)) as unknown as Draft
    setBusy(true)
    try {
      const { channel, offset } = await notify(draft, crypto.randomUUID())
      setResult({ sent: `Stored in ${channel} at offset ${offset}.` })
    } catch (error) {
      setResult({ failed: error instanceof Error ? error.message : String(error) })
    } finally {
      setBusy(false)
    }
  }

  return (
    <section className="card" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Publish</h2>
      <form className="form" onSubmit={publish} aria-describedby={`${id}-result`}>
        <fieldset className="choice">
          <legend>To</legend>
          <label>
            <input type="radio" name="to" value="me" defaultChecked /> Me
          </label>
          <label>
            <input type="radio" name="to" value="everyone" /> Everyone
          </label>
        </fieldset>
        <label>
          Type
          <select name="type" defaultValue="message">
            {types.map(type => (
              <option key={type} value={type}>
                {type.replace('_', ' ')}
              </option>
            ))}
          </select>
        </label>
        <label>
          Title
          <input name="title" required maxLength={120} defaultValue="Your order is on its way" />
        </label>
        <label>
          Message
          <textarea name="message" rows={2} maxLength={400} defaultValue="It should arrive on Thursday." />
        </label>
        <label>
          Link
          <input name="link" pattern="/.*" title="A path in this page, such as /orders/42" defaultValue="/orders/42?tab=tracking" />
        </label>
        <button className="button primary" disabled={busy}>
          {busy ? 'Publishing…' : 'Publish'}
        </button>
        <p className="form-result" id={`${id}-result`} role="status" data-bad={result !== null && 'failed' in result}>
          {result && ('sent' in result ? result.sent : result.failed)}
        </p>
      </form>
    </section>
  )
}
