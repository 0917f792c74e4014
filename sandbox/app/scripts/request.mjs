// npm run -s request -- POST /api/things '{"name":"…"}': asks the running app and prints status and body.
const [method = 'GET', path = '/', body] = process.argv.slice(2)
const address = `http://127.0.0.1:${process.env.PORT || 5173}${path}`
const headers = body === undefined ? {} : { 'content-type': 'application/json' }

try {
  const response = await fetch(address, { method, headers, body, signal: AbortSignal.timeout(15_000) })
  console.log(`${response.status} ${method} ${path}`)
  console.log((await response.text()).slice(0, 4000))
  process.exit(response.status < 500 ? 0 : 1)
} catch (problem) {
  console.error(`no answer from ${address}: ${problem instanceof Error ? problem.message : problem}`)
  process.exit(1)
}
