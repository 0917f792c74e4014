import './lib/bridge'
import './index.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import App from './App'
import { startAnalytics } from './lib/analytics'
import { announceReady } from './lib/bridge'
import { Boundary } from './ui'

startAnalytics()

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Boundary>
      <App />
    </Boundary>
  </StrictMode>,
)

announceReady()
