/** The samples of the documents, as files: the compiled text is the text that a reader copies. */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const repository = at('../../../')

/** Documents with samples in TypeScript or Svelte. */
export const DOCUMENTS = ['README.md', 'npm/README.md', 'docs/react.md', 'docs/svelte.md', 'docs/rooms.md', 'docs/errors.md', 'docs/sign-out.md', 'docs/development.md'] as const
export type Document = (typeof DOCUMENTS)[number]

export interface Sample {
  readonly language: string
  /** Line of the document. */
  readonly line: number
  /** The name in its first line, if there is one. */
  readonly file: string | undefined
  readonly text: string
}

/** Every fenced block of a document. */
export function samplesOf(document: string): readonly Sample[] {
  const text = readFileSync(join(repository, document), 'utf8')
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = '', 2: body = '' }) => ({
    language,
    line: text.slice(0, index).split('\n').length,
    file: /^(?:\/\/|<!--) ([\w$+./-]+\.(?:d\.ts|tsx?|svelte))\b/.exec(body)?.[1],
    text: body,
  }))
}

/** Languages that are compiled. */
export const COMPILED = ['ts', 'tsx', 'js', 'jsx', 'svelte']

/** The folder of a document's samples. `suite` separates suites that run in parallel. */
export const folderOf = (document: Document, suite: string): string => join(at('./.samples'), suite, document.replace(/\W/g, '-'))

/**
 * Writes a document's samples into a folder of their own, with stand-ins for the reader's own
 * files. Returns the folder.
 */
export function write(document: Document, suite: string): string {
  const folder = folderOf(document, suite)
  rmSync(folder, { recursive: true, force: true })
  cpSync(at('./yours'), folder, { recursive: true })
  for (const { file, text, language } of samplesOf(document)) {
    if (file === undefined || !COMPILED.includes(language)) continue
    const path = join(folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return folder
}
