/* One step of a client's life cycle: run it, and tell the test that started us how it went, as a line of JSON. */

/** Run `work`; a throw marks the step failed and the process with it, and later steps still run. Returns its value. */
export async function step(operation, work) {
  try {
    const value = await work();
    process.stdout.write(`${JSON.stringify({ operation, ok: true })}\n`);
    return value;
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ operation, ok: false, error: String(error?.stack ?? error) })}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

/** What the test passed us: addresses, keys, names. */
export const given = JSON.parse(process.env.GIVEN ?? '{}');
