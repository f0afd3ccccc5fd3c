/** Shown if the example's own backend does not answer: there is no inbox yet. */
export function StartFailed({ error }: { error: Error }) {
  return (
    <main className="start-failed" role="alert">
      <h1>The example’s backend does not answer</h1>
      <p>{error.message}</p>
      <button className="button" onClick={() => location.reload()}>
        Try again
      </button>
    </main>
  )
}
