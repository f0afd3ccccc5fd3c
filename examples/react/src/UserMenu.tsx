import { useState } from 'react'

import type { User } from './api'
import { useToasts } from './toast-list'

interface UserMenuProps {
  readonly users: readonly User[]
  readonly user: string | null
  readonly onSwitch: (user: string | null) => Promise<void>
}

const SIGN_OUT = ''

/** A native select works with every keyboard and screen reader. */
export function UserMenu({ users, user, onSwitch }: UserMenuProps) {
  const [busy, setBusy] = useState(false)
  const { showError } = useToasts()

  function change(value: string) {
    setBusy(true)
    onSwitch(value === SIGN_OUT ? null : value)
      .catch(showError)
      .finally(() => setBusy(false))
  }

  return (
    <select
      className="user"
      aria-label="Signed in as"
      disabled={busy}
      value={user ?? SIGN_OUT}
      onChange={event => change(event.currentTarget.value)}
    >
      {users.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
      <option value={SIGN_OUT}>{user === null ? 'Signed out' : 'Sign out'}</option>
    </select>
  )
}
