import { createServer } from 'node:net';

/** `preferred` when nothing on this machine listens there, else any free port. */
export async function freePort(preferred: number): Promise<number> {
  if (await isFree(preferred)) return preferred;
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('the system gave no port'));
      });
    });
  });
}

/** Both families count: a browser that is sent to `localhost` may try either. */
async function isFree(port: number): Promise<boolean> {
  const families = await Promise.all([bind(port, '127.0.0.1'), bind(port, '::1')]);
  return families.every((code) => code !== 'EADDRINUSE' && code !== 'EACCES');
}

/** The error code of listening there for a moment, if any. A machine without IPv6 gives another one than a taken port. */
function bind(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve('code' in error ? String(error.code) : 'unknown'));
    server.listen(port, host, () => {
      server.close(() => resolve(undefined));
    });
  });
}
