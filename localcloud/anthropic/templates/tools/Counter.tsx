import { useEffect, useState } from 'react'
import { Button, Page } from './ui'

export default function App() {
  const [count, setCount] = useState(0)

  useEffect(() => {
    document.title = %%TITLE_STRING%%
  }, [])

  return (
    <Page narrow title=%%TITLE_ATTR%%>
      <div className="sheet grid gap-5 p-6 text-center">
        <output aria-live="polite" aria-label=%%TITLE_ATTR%% className="num text-[4.5rem] leading-none font-semibold">{count}</output>
        <div className="flex justify-center gap-2">
          <Button aria-label=%%DOWN_ATTR%% onClick={() => setCount(count - 1)}>−</Button>
          <Button kind="primary" aria-label=%%UP_ATTR%% className="min-w-24" onClick={() => setCount(count + 1)}>+</Button>
          <Button disabled={count === 0} onClick={() => setCount(0)}>%%RESET%%</Button>
        </div>
      </div>
    </Page>
  )
}
