/** A second worker of the local runtime: consumes `notify-tasks` and posts each notice to COLLECTOR_URL. */
export default {
  async queue(
    batch: { messages: readonly { body: unknown }[] },
    env: { COLLECTOR_URL: string },
  ): Promise<void> {
    const response = await fetch(env.COLLECTOR_URL, {
      method: 'POST',
      body: JSON.stringify(batch.messages.map(({ body }) => body)),
    });
    await response.body?.cancel();
  },
};
