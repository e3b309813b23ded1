import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../local/connect.ts';
import { type Runtime, startRuntime } from '../local/runtime.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';

let sandbox: Sandbox;
let runtime: Runtime;

beforeAll(async () => {
  sandbox = await startSandbox();
  runtime = await startRuntime(sandbox);
});
afterAll(async () => {
  await runtime.close();
  await sandbox.close();
});

describe('google', () => {
  it('connects', async () => {
    const person = sandbox.people.add({
      provider: 'google',
      email: 'ada@example.com',
      name: 'Ada',
      timeZone: 'Europe/Berlin',
    });
    person.addEvent('primary', { summary: 'x', start: '2026-11-23T09:00:00', end: '2026-11-23T10:00:00' });
    const id = await connect(runtime, person);
    expect((await runtime.api('GET', `/v1/connectors/${id}`)).json).toMatchObject({ status: 'active' });
    const answer = await runtime.api('POST', `/v1/connectors/${id}/availability`, {
      timeMin: '2026-11-23T00:00:00',
      timeMax: '2026-11-24T00:00:00',
      timeZone: 'Europe/Berlin',
    });
    console.log(answer.text, runtime.notices);
    await runtime.bindings.Q_TASKS.send({
      id: 't1',
      type: 'check-availability',
      connectorId: id,
      payload: { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'Europe/Berlin' },
    });
    console.log(await runtime.notice((n) => n.taskId === 't1'));
    console.log((await runtime.api('DELETE', `/v1/connectors/${id}`)).text);
    console.log(runtime.notices.at(-1), sandbox.truth.calls, runtime.logs());
  });
});
describe('microsoft', () => {
  it('connects', async () => {
    const person = sandbox.people.add({
      provider: 'microsoft',
      account: 'work',
      email: 'grace@contoso.example',
      name: 'Grace',
      timeZone: 'America/New_York',
    });
    person.addEvent('primary', { summary: 'x', start: '2026-11-23T09:00:00', end: '2026-11-23T10:00:00' });
    const id = await connect(runtime, person);
    const answer = await runtime.api('POST', `/v1/connectors/${id}/availability`, {
      timeMin: '2026-11-23T00:00:00',
      timeMax: '2026-11-24T00:00:00',
      timeZone: 'Europe/Berlin',
    });
    console.log(answer.text, sandbox.truth.calls, runtime.logs());
  });
});
