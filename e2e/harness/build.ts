// Builds what the tests need, once per run. The examples' pages are always rebuilt: it takes a
// second, and they are never stale.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

import { exampleIn, FRAMEWORKS, SDK, SERVER, STRICT_PAGE, type Framework } from './paths.ts'

export default function build(): void {
  if (!existsSync(SERVER)) throw new Error(`${SERVER} is missing: run \`cargo build --release -p tidings-server\``)
  if (!existsSync(`${SDK}/index.js`)) throw new Error(`${SDK} is missing: run \`cargo xtask package\``)
  for (const framework of FRAMEWORKS) vite(framework, ['build'], 'production')
  vite('react', ['build', '--mode', 'development', '--outDir', STRICT_PAGE, '--emptyOutDir'], 'development')
}

function vite(framework: Framework, args: readonly string[], mode: string): void {
  const folder = exampleIn(framework)
  execFileSync(process.execPath, [`${folder}/node_modules/vite/bin/vite.js`, ...args, '--logLevel', 'warn'], {
    cwd: folder,
    env: { ...process.env, NODE_ENV: mode },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}
