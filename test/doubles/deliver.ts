/** Sends a double's webhooks on to a real address, byte for byte. */
export const postTo =
  (url: string) =>
  async (request: Request): Promise<Response> =>
    fetch(url, { method: "POST", headers: request.headers, body: await request.text() });
