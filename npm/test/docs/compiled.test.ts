/**
 * Every sample of the documents compiles under `strict`, as an app sees the package: by its name,
 * from the build.
 */

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { compile } from 'svelte/compiler'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'

import { COMPILED, DOCUMENTS, samplesOf, write, type Document } from './samples.js'

const npm = fileURLToPath(new URL('../../', import.meta.url))
const execute = promisify(execFile)

/** The options that `npm create` of current tools uses, or stricter ones. */
const OPTIONS = {
  target: 'es2022',
  lib: ['es2023', 'dom', 'dom.iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  jsx: 'react-jsx',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  verbatimModuleSyntax: true,
  skipLibCheck: true,
  noEmit: true,
}

/** Compilers load slowly on a busy machine. */
const DEADLINE = 300_000

// Each file is read once for all documents.
const sources = new Map<string, ts.SourceFile | undefined>()

function complaintsOf(folder: string): readonly string[] {
  const file = join(folder, 'tsconfig.json')
  writeFileSync(file, JSON.stringify({ compilerOptions: { ...OPTIONS, paths: { '$lib/*': ['./lib/*'] } }, include: ['.'] }))
  const { options, fileNames, errors } = ts.parseJsonConfigFileContent(JSON.parse(readFileSync(file, 'utf8')), ts.sys, folder)
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile.bind(host)
  host.getSourceFile = (name, ...rest) => {
    if (name.startsWith(folder)) return read(name, ...rest)
    if (!sources.has(name)) sources.set(name, read(name, ...rest))
    return sources.get(name)
  }
  const program = ts.createProgram({ rootNames: fileNames, options, host })
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder))
  const complaints = own.flatMap((source) => [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)])
  return [...errors, ...program.getOptionsDiagnostics(), ...complaints].map((complaint) => {
    const where = complaint.file && `${relative(folder, complaint.file.fileName)}:${complaint.file.getLineAndCharacterOfPosition(complaint.start ?? 0).line + 1}: `
    return `${where ?? ''}${ts.flattenDiagnosticMessageText(complaint.messageText, '\n')}`
  })
}

beforeAll(() => {
  if (!existsSync(join(npm, 'dist/index.d.ts'))) throw new Error('the samples want the built package: run `npm run build` first')
})

describe.each(DOCUMENTS)('%s', (document) => {
  const samples = samplesOf(document).filter(({ language }) => COMPILED.includes(language))

  test('each sample is a file with a name', () => {
    expect(samples.length).toBeGreaterThan(0)
    for (const { file, line } of samples) expect(file, `the first line of the sample at line ${line}`).toBeDefined()
    const names = samples.map(({ file }) => file)
    expect(new Set(names).size, String(names)).toBe(names.length)
  })

  test('its TypeScript compiles', () => {
    expect(complaintsOf(write(document, 'compiled'))).toEqual([])
  }, DEADLINE)

  test.runIf(samples.some(({ language }) => language === 'svelte'))('its Svelte compiles without a warning, for pages and servers', async () => {
    const folder = write(document, 'compiled')
    for (const { file = '', text } of samples.filter(({ language }) => language === 'svelte')) {
      for (const generate of ['client', 'server'] as const) {
        const { warnings } = compile(text, { filename: file, generate, dev: true })
        expect(warnings.map(({ code, message }) => `${file}: ${code}: ${message}`)).toEqual([])
      }
    }
    // Check types too, between the samples and against the package.
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...OPTIONS, paths: { '$lib/*': ['./lib/*'] } }, include: ['.'] }))
    const check = join(npm, 'node_modules/svelte-check/bin/svelte-check')
    const { stdout } = await execute(process.execPath, [check, '--workspace', folder, '--tsconfig', 'tsconfig.json', '--output', 'machine', '--fail-on-warnings'], { cwd: folder }).catch(
      (failed: { stdout: string }) => failed,
    )
    expect(stdout.split('\n').filter((line) => /\b(ERROR|WARNING)\b/.test(line))).toEqual([])
    expect(stdout).toMatch(/COMPLETED [1-9]\d* FILES 0 ERRORS 0 WARNINGS/)
  }, DEADLINE)
})

test('no other document has samples that nothing compiles', () => {
  const listed = new Set<string>(DOCUMENTS satisfies readonly Document[])
  for (const document of ['docs/protocol.md', 'docs/operations.md', 'docs/simulation.md', 'e2e/README.md', 'examples/react/README.md', 'examples/svelte/README.md', 'SECURITY.md', 'CONTRIBUTING.md']) {
    const compiled = samplesOf(document).filter(({ language }) => COMPILED.includes(language))
    expect(listed.has(document) ? [] : compiled, document).toEqual([])
  }
})
