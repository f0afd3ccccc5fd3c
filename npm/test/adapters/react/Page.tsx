// The test page: one component per hook. `Page.svelte` is the same for Svelte.
import { useEffect, type ReactNode } from 'react'
import type { InboxFilter, InboxItem, Tidings } from 'tidings'
import { TidingsProvider, useConnection, useNotifications, useReadable, useSeen, useServerTime, useTidings, useTidingsEvent, useUnreadCount } from 'tidings/react'

import type { PageProps, Probe } from '../harness.js'

export function Page({ client, probe, props }: { client: Tidings; probe: Probe; props: PageProps }): ReactNode {
  return (
    <TidingsProvider client={client} user={props.user} initial={props.initial}>
      <State />
      <Bell probe={probe} />
      <Unseen probe={probe} />
      <Clock />
      <Listener probe={probe} greeting={props.greeting} />
      <List probe={probe} filter={props.filter} />
    </TidingsProvider>
  )
}

function State(): ReactNode {
  return <p data-part="connection">{useConnection().status}</p>
}

export function Bell({ probe }: { probe: Probe }): ReactNode {
  const unread = useUnreadCount()
  useEffect(() => void (probe.runs.bell += 1))
  return <p data-part="unread">{unread}</p>
}

function Unseen({ probe }: { probe: Probe }): ReactNode {
  const unseen = useReadable(useTidings().inbox, inbox => [inbox.unseen])
  useEffect(() => void (probe.runs.unseen += 1))
  return <p data-part="unseen">{unseen}</p>
}

function Clock(): ReactNode {
  return <p data-part="time">{useServerTime({ every: 1000 }) ?? 'unknown'}</p>
}

function Listener({ probe, greeting = '' }: { probe: Probe; greeting?: string | undefined }): ReactNode {
  useTidingsEvent('arrived', ({ id }) => probe.received.push(`${greeting}${id}`))
  return null
}

function List({ probe, filter }: { probe: Probe; filter?: InboxFilter | undefined }): ReactNode {
  const inbox = useNotifications(filter)
  const unread = useUnreadCount()
  useEffect(() => {
    probe.view = inbox
    probe.moments.push(`${inbox.items.length} ${inbox.unread} ${unread}`)
    probe.runs.list += 1
  })
  return (
    <>
      <p data-part="status">{inbox.status}</p>
      <ul>
        {inbox.items.map(item => (
          <Row key={item.id} item={item} />
        ))}
      </ul>
    </>
  )
}

function Row({ item }: { item: InboxItem }): ReactNode {
  return (
    <li id={item.id} ref={useSeen(item)}>
      {item.title}
      {item.read ? ' (read)' : ''}
    </li>
  )
}
