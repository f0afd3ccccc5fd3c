import type { Room as RoomOf } from './api'
import { Link } from './location'
import { Room } from './Room'

interface RoomsProps {
  readonly rooms: readonly RoomOf[]
  readonly user: string
  readonly pathname: string
}

/**
 * The rooms of a user, and the open one. A link may name a room that is not theirs: the server
 * decides.
 */
export function Rooms({ rooms, user, pathname }: RoomsProps) {
  const mine = rooms.filter(({ members }) => members.includes(user))
  const [, , asked = ''] = pathname.split('/')
  const open = /^[\w-]{1,64}$/.test(asked) ? asked : mine[0]?.id
  if (open === undefined) return <p className="note">There is no room for you yet.</p>
  return (
    <>
      <nav className="room-nav" aria-label="Rooms">
        {mine.map(({ id, name }) => (
          <Link key={id} href={`/rooms/${id}`} aria-current={id === open ? 'page' : undefined}>
            {name}
          </Link>
        ))}
      </nav>
      <Room key={open} channel={`room:${open}`} title={rooms.find(({ id }) => id === open)?.name ?? open} />
    </>
  )
}
