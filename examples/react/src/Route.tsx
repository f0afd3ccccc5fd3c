import { Link } from './location'

/** The target of a deep link. An app shows its own page here; the demo shows the link's parts. */
export function Route({ location }: { location: URL }) {
  const params = [...location.searchParams]
  return (
    <section className="card route" aria-labelledby="route-title">
      <p>
        <Link href="/">← Back to the inbox</Link>
      </p>
      <h1 id="route-title">{location.pathname}</h1>
      <p>The app’s router would show this page now. These parameters came with the link:</p>
      {params.length === 0 ? (
        <p className="note">None.</p>
      ) : (
        <dl>
          {params.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
