import { useState } from 'react'
import type { Tidings } from 'tidings'
import { TidingsProvider } from 'tidings/react'

import { changeSession, type Config } from './api'
import { Bell } from './Bell'
import { ConnectionBanner } from './ConnectionBanner'
import { ConnectionState } from './ConnectionState'
import { CurlLine } from './CurlLine'
import { Icon } from './Icon'
import { Inbox } from './Inbox'
import { Link, useLocation } from './location'
import { PublishForm } from './PublishForm'
import { Rooms } from './Rooms'
import { Route } from './Route'
import { SignedOut } from './SignedOut'
import { ThemeToggle } from './ThemeToggle'
import { ToastsProvider } from './toast-list'
import { Toasts } from './Toasts'
import { UserMenu } from './UserMenu'

export function App({ tidings, config }: { tidings: Tidings; config: Config }) {
  const [user, setUser] = useState(config.user)
  const location = useLocation()

  async function switchUser(next: string | null) {
    // Signing out wipes this browser's copy of the inbox; switching keeps it for the user's return.
    if (next === null) await tidings.signOut()
    await changeSession(next)
    setUser(next)
  }

  return (
    <TidingsProvider client={tidings} user={user}>
      <ToastsProvider>
        <a className="skip" href="#main">
          Skip to content
        </a>
        <header className="bar">
          <Link className="brand" href="/">
            Tidings
          </Link>
          <ConnectionState />
          <div className="bar-end">
            <Link className="icon-button" href="/rooms" aria-label="Rooms">
              <Icon name="rooms" />
            </Link>
            <Bell />
            <ThemeToggle />
            <UserMenu users={config.users} user={user} onSwitch={switchUser} />
          </div>
        </header>
        <ConnectionBanner user={user} />
        <main id="main" tabIndex={-1} className={user === null ? 'page' : classOf(location.pathname)}>
          {user === null ? (
            <SignedOut users={config.users} onSignIn={switchUser} />
          ) : location.pathname === '/' ? (
            <>
              <Inbox key={user} />
              <div className="side">
                <PublishForm types={config.types} />
                {config.curlKey && <CurlLine url={config.url} apiKey={config.curlKey} user={user} />}
              </div>
            </>
          ) : isRooms(location.pathname) ? (
            <Rooms key={user} rooms={config.rooms} user={user} pathname={location.pathname} />
          ) : (
            <Route location={location} />
          )}
        </main>
        <Toasts />
      </ToastsProvider>
    </TidingsProvider>
  )
}

const isRooms = (pathname: string) => /^\/rooms(\/|$)/.test(pathname)

function classOf(pathname: string) {
  if (pathname === '/') return 'page page-home'
  return isRooms(pathname) ? 'page page-rooms' : 'page'
}
