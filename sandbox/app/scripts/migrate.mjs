// npm run migrate: runs what is new in server/migrations against DATABASE_URL and says what it did.
import { runnerImport } from 'vite'

const options = { configFile: false, logLevel: 'error' }
const { module } = await runnerImport('./server/migrate.ts', options)
try {
  const names = await module.migrate()
  console.log(names.length > 0 ? `migrated: ${names.join(', ')}` : 'nothing to migrate')
  process.exit(0)
} catch (problem) {
  console.error(`migration failed, nothing was changed: ${problem instanceof Error ? problem.message : problem}`)
  process.exit(1)
}
