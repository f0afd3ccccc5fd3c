import { useState } from 'react'
import type { Tidings } from 'tidings'
import { TidingsProvider, useConnection } from 'tidings/react'

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

  async function switchUser(next: string | null) {
    // Signing out deletes this browser's copy of the inbox; switching keeps it for the user's
    // return.
    if (next === null) await tidings.signOut()
    await changeSession(next)
    // Signing in again as the same user is no change that the provider would see.
    if (next !== null) tidings.setUser(next)
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
        <Main user={user} config={config} onSignIn={switchUser} />
        <Toasts />
      </ToastsProvider>
    </TidingsProvider>
  )
}

interface MainProps {
  readonly user: string | null
  readonly config: Config
  readonly onSignIn: (user: string) => Promise<void>
}

function Main({ user, config, onSignIn }: MainProps) {
  const location = useLocation()
  const { status } = useConnection()
  // The session may have ended without the app's knowledge: then there is no inbox any more.
  const signedOut = user === null || status === 'signed-out'
  return (
    <main id="main" tabIndex={-1} className={signedOut ? 'page' : classOf(location.pathname)}>
      {signedOut ? (
        <SignedOut users={config.users} onSignIn={onSignIn} />
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
  )
}

const isRooms = (pathname: string) => /^\/rooms(\/|$)/.test(pathname)

function classOf(pathname: string) {
  if (pathname === '/') return 'page page-home'
  return isRooms(pathname) ? 'page page-rooms' : 'page'
}
