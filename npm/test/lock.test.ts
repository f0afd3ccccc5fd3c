/**
 * Only reviewed packages are installed: each lock file names each package with the hash of its
 * content.
 */

import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

interface Locked {
  readonly link?: boolean
  readonly integrity?: string
}

test.each(['npm', 'npm/test/pack/hosts', 'examples/react', 'examples/svelte', 'e2e'])('%s/package-lock.json has the hash of every package', (folder) => {
  const { packages } = JSON.parse(readFileSync(new URL(`../../${folder}/package-lock.json`, import.meta.url), 'utf8')) as {
    packages: Record<string, Locked>
  }
  // Leaves out the folder itself, and the package of this repository that the examples link.
  const fetched = Object.entries(packages).filter(([path, { link }]) => path.startsWith('node_modules/') && link !== true)
  expect(fetched.length).toBeGreaterThan(5)
  expect(fetched.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path)).toEqual([])
})
