/**
 * The key that names what a task creates, for good: 64 lower-case hexadecimal characters (SHA-256),
 * the same for every run of the task, and for no other task of any connector.
 */
export async function creationKeyOf(connectorId: string, taskId: string): Promise<string> {
  const name = new TextEncoder().encode(JSON.stringify([connectorId, taskId]));
  const digest = await crypto.subtle.digest('SHA-256', name);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
