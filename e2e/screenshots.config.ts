// `npm run screenshots` renews the README's pictures from the running example.
import base from './playwright.config.ts'

export default { ...base, testDir: 'screenshots' }
