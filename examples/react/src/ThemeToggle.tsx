import { useState } from 'react'

import { Icon } from './Icon'

function isDark() {
  const { theme } = document.documentElement.dataset
  return theme === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark'
}

/**
 * Until it is pressed, the system's preference applies. public/theme.js restores the choice before
 * the first paint.
 */
export function ThemeToggle() {
  const [dark, setDark] = useState(isDark)

  function toggle() {
    const theme = dark ? 'light' : 'dark'
    document.documentElement.dataset.theme = theme
    setDark(!dark)
    try {
      localStorage.setItem('theme', theme)
    } catch {
      // Storage may be blocked: then the choice lasts as long as the page.
    }
  }

  return (
    <button className="icon-button" aria-label={dark ? 'Use the light theme' : 'Use the dark theme'} onClick={toggle}>
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  )
}
