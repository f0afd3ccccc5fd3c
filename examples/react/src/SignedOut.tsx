import type { User } from './api'
import { useToasts } from './toast-list'

export function SignedOut({ users, onSignIn }: { users: readonly User[]; onSignIn: (user: string) => Promise<void> }) {
  const { showError } = useToasts()
  return (
    <section className="card signed-out">
      <h1>You are signed out</h1>
      <p>Nothing of the last inbox is left in this browser. Sign in as one of the two people of this demo.</p>
      <div className="signed-out-users">
        {users.map(({ id, name }) => (
          <button key={id} className="button primary" onClick={() => onSignIn(id).catch(showError)}>
            {name}
          </button>
        ))}
      </div>
    </section>
  )
}
