// node scripts/request.mjs POST /api/things '{"name":"…"}' -- GET /api/things: asks the running app, one request after
// the other, and prints status and body of each. Fails when the app does not answer or answers 500 and above.
const requests = [[]]
for (const word of process.argv.slice(2)) {
  if (word === '--') requests.push([])
  else requests.at(-1).push(word)
}
const origin = `http://127.0.0.1:${process.env.PORT || 5173}`
const until = Date.now() + 12_000

// A dev server that restarts (a new `.env`, a changed config) is away for a second: wait for it.
async function ask(path, options) {
  for (;;) {
    try {
      return await fetch(origin + path, { ...options, signal: AbortSignal.timeout(15_000) })
    } catch (problem) {
      if (Date.now() > until || problem?.name === 'TimeoutError') throw problem
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

for (const [method = 'GET', path = '/', body] of requests) {
  try {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await ask(path, { method, headers, body })
    const text = await response.text()
    console.log(`${response.status} ${method} ${path}`)
    if (text) console.log(text.length > 1000 ? `${text.slice(0, 1000)} … (${text.length} characters)` : text)
    if (response.status >= 500) process.exitCode = 1
  } catch (problem) {
    console.error(`no answer from ${origin}${path}: ${problem instanceof Error ? problem.message : problem}`)
    process.exitCode = 1
    break
  }
}
