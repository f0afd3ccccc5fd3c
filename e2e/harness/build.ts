// What the tests need built, once a run. The example's page is built anew: it takes a second and is never stale.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

import { EXAMPLE, SDK, SERVER, STRICT_PAGE } from './paths.ts'

export default function build(): void {
  if (!existsSync(SERVER)) throw new Error(`${SERVER} is missing: run \`cargo build --release -p tidings-server\``)
  if (!existsSync(`${SDK}/index.js`)) throw new Error(`${SDK} is missing: run \`cargo xtask package\``)
  vite(['build'], 'production')
  vite(['build', '--mode', 'development', '--outDir', STRICT_PAGE, '--emptyOutDir'], 'development')
}

function vite(args: readonly string[], mode: string): void {
  execFileSync(process.execPath, [`${EXAMPLE}/node_modules/vite/bin/vite.js`, ...args, '--logLevel', 'warn'], {
    cwd: EXAMPLE,
    env: { ...process.env, NODE_ENV: mode },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}
