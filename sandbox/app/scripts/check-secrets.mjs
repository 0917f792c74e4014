// npm run check:secrets: builds the client and fails when a value of `.env` without the VITE_ prefix is in it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, runnerImport } from 'vite'

const { module } = await runnerImport('./server/env.ts', { configFile: false, logLevel: 'error' })
const entries = Object.entries(module.envFile())
const open = entries.filter(([name]) => name.startsWith('VITE_')).map(([, value]) => value)
// A loopback address is no secret, nor is what a public value already says.
const secrets = entries.filter(
  ([name, value]) =>
    !name.startsWith('VITE_') && value.length >= 8 && !/^(127\.|localhost)/.test(value) && !open.some((text) => text.includes(value)),
)

const outDir = mkdtempSync(join(tmpdir(), 'client-'))
try {
  await build({ logLevel: 'error', build: { outDir, emptyOutDir: true, sourcemap: true } })
  const files = readdirSync(outDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const found = []
  for (const entry of files) {
    const text = readFileSync(join(entry.parentPath, entry.name), 'latin1')
    for (const [name, value] of secrets) {
      if (text.includes(value)) found.push(`${name} is in ${entry.name}`)
    }
  }
  for (const line of found) console.error(line)
  console.log(found.length > 0 ? 'server-only values reach the browser' : `clean: ${secrets.length} values, ${files.length} files`)
  process.exitCode = found.length > 0 ? 1 : 0
} finally {
  rmSync(outDir, { recursive: true, force: true })
}
