// The rooms and who may do what in them: a stand-in for an app's own teams.

export const rooms = [
  { id: 'harbour', name: 'Harbour', members: ['mina', 'jun'], writers: ['mina', 'jun'] },
  // To see what is refused: here nobody but the backend may write.
  { id: 'notices', name: 'Notices', members: ['mina', 'jun'], writers: [] },
  { id: 'kitchen', name: 'Kitchen', members: ['mina'], writers: ['mina'] },
]

/** What a user's ticket grants. Whoever is not named here gets nothing: the server denies by default. */
export function channelsOf(user) {
  return rooms
    .filter(({ members }) => members.includes(user))
    .map(({ id, writers }) => ({
      pattern: `room:${id}`,
      allow: ['subscribe', 'history', ...(writers.includes(user) ? ['publish'] : [])],
    }))
}
