import { parseArgs } from 'node:util';
import { startSandbox } from './sandbox.ts';
import { seedWorld } from './seed.ts';

const { values } = parseArgs({
  options: {
    'google-port': { type: 'string', default: '0' },
    'microsoft-port': { type: 'string', default: '0' },
    'redirect-uri': { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    quiet: { type: 'boolean', default: false },
  },
});

const sandbox = await startSandbox({
  googlePort: portOf(values['google-port']),
  microsoftPort: portOf(values['microsoft-port']),
  seed: Number(values.seed),
  ...(values['redirect-uri'] === undefined ? {} : { redirectUris: values['redirect-uri'] }),
});
seedWorld(sandbox);

if (!values.quiet) {
  sandbox.truth.onCall(({ seq, operation, person, status, ms, faults, inBatch }) => {
    const notes = [inBatch === true ? 'in batch' : '', ...(faults ?? [])].filter((note) => note !== '');
    const tail = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
    process.stderr.write(
      `${String(seq)} ${operation} ${person ?? '-'} ${String(status)} ${String(ms)}ms${tail}\n`,
    );
  });
}

// One line that a parent process reads to learn where everything is; its secrets are made for this run only.
const { googleUrl, microsoftUrl, vars, secrets } = sandbox;
process.stdout.write(`${JSON.stringify({ googleUrl, microsoftUrl, vars, secrets })}\n`);

let closing = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (closing) return;
    closing = true;
    void sandbox.close().then(() => process.exit(0));
  });
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    process.stderr.write(`not a port: ${text}\n`);
    process.exit(2);
  }
  return port;
}
