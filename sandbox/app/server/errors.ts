/** An error whose message is meant for the person using the app. Throw it anywhere in a route. */
export class AppError extends Error {
  constructor(
    message: string,
    readonly status: 400 | 401 | 403 | 404 | 409 | 422 | 429 | 500 | 502 | 503 = 400,
    readonly fields: Record<string, string> = {},
  ) {
    super(message)
  }
}
