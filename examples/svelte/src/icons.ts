// Line icons on a 24 × 24 grid, in the colour of the text around them.
export const PATHS = {
  archive: 'M4 5h16v4H4zM6 9v10h12V9M10 13h4',
  bell: 'M12 4a6 6 0 0 0-6 6c0 4-1.500 5.500-2.250 6.500h16.500C19.500 15.500 18 14 18 10a6 6 0 0 0-6-6ZM9.500 19.500a2.500 2.500 0 0 0 5 0',
  check: 'm5 12.500 4.500 4.500L19 7.500',
  close: 'm6 6 12 12M18 6 6 18',
  comment: 'M4 5h16v11H10l-4 4v-4H4z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  friend_request: 'M10 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM3.500 20c.5-4 3-6 6.500-6s6 2 6.500 6M18 8v6M15 11h6',
  like: 'M12 20S4 15 4 9.500A4.200 4.200 0 0 1 12 7.500 4.200 4.200 0 0 1 20 9.500C20 15 12 20 12 20Z',
  message: 'M3.500 6h17v12h-17zM4 6.500l8 6.500 8-6.500',
  moon: 'M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10Z',
  payment: 'M3 6h18v12H3zM3 10h18M6.500 14.500h4',
  rooms: 'M3.500 4.500h12v8.500H9l-3.500 3v-3h-2zM18.500 8.500h2v9h-2v3l-3.500-3h-5.500',
  restore: 'M5 5v5h5M5.500 10A7 7 0 1 1 5 14',
  send: 'M4 12 20.500 4.500 15 20l-3.500-6.500zM11.500 13.500 20.500 4.500',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400',
  system: 'M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17ZM12 11v5M12 8v.01',
  team_invite: 'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM3 19c.4-3.500 2.500-5.500 6-5.500s5.600 2 6 5.500M16 5.500a3 3 0 0 1 0 5.500M18 14c1.800.8 2.800 2.500 3 5',
  unread: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10Z',
} as const

export type IconName = keyof typeof PATHS

/** A notification's icon. Backends may send types that this page does not know. */
export function iconOf(type: string): IconName {
  return Object.hasOwn(PATHS, type) ? (type as IconName) : 'bell'
}
