import { join } from 'node:path'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { publishViteNames } from './server/env.ts'
import { api } from './vite/api.ts'
import { freshEnv } from './vite/env.ts'
import { guard } from './vite/guard.ts'

// `.env` is the truth: a value the process inherited earlier must not win over it.
publishViteNames()

const root = import.meta.dirname

export default defineConfig({
  root,
  plugins: [guard(), freshEnv(), api(), react(), tailwindcss()],
  server: {
    host: process.env.HOST || '127.0.0.1',
    port: Number(process.env.PORT) || 5173,
    strictPort: true,
    allowedHosts: true,
    warmup: { clientFiles: ['./src/main.tsx'] },
    watch: { ignored: ['**/*.log', '**/dist/**'] },
    fs: {
      allow: [join(root, 'src'), join(root, 'public'), join(root, 'node_modules'), join(root, 'index.html')],
      deny: ['.env', '.env.*', '*.{crt,pem,key}', '**/.git/**', '**/.claude/**', 'CLAUDE.md', `${root}/server/**`],
    },
  },
  build: { chunkSizeWarningLimit: 1000 },
  optimizeDeps: {
    // Everything a page is likely to import, so that a first import never rebuilds the cache and reloads the page.
    include: [
      'react', 'react-dom', 'react-dom/client', 'react/jsx-runtime', 'react/jsx-dev-runtime', 'posthog-js', 'zod',
    ],
  },
})
