// Runs before the first paint, so that a chosen theme never flashes the other one. It is a file,
// because the page's content security policy allows no inline script.
try {
  const theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be blocked: then the system's preference applies.
}
