// The rooms and the rights in them: a stand-in for an app's own teams.

export const rooms = [
  { id: 'harbour', name: 'Harbour', members: ['mina', 'jun'], writers: ['mina', 'jun'] },
  // Shows a refusal: only the backend may write here.
  { id: 'notices', name: 'Notices', members: ['mina', 'jun'], writers: [] },
  { id: 'kitchen', name: 'Kitchen', members: ['mina'], writers: ['mina'] },
]

/** The channels of a user's ticket. The server denies all others by default. */
export function channelsOf(user) {
  return rooms
    .filter(({ members }) => members.includes(user))
    .map(({ id, writers }) => ({
      pattern: `room:${id}`,
      allow: ['subscribe', 'history', ...(writers.includes(user) ? ['publish'] : [])],
    }))
}
