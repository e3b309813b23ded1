import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import { type PlainRuntime, startPlainRuntime } from '../local/plain-runtime.ts';
import { type SandboxProcess, startSandboxProcess } from '../local/sandbox-process.ts';
import { connectMicrosoft } from '../sandbox/client-journey.ts';

/** A connected work account at Microsoft, where asking for a named address is one provider call. */
export interface Target {
  email: string;
  connectorId: string;
  /** A token of the account for the bare loops, which go past the worker. */
  accessToken: string;
}

/** The sandbox and the worker, each a process, with connected accounts. */
export interface BenchStage {
  sandbox: SandboxProcess;
  worker: PlainRuntime;
  targets: Target[];
  latencyMs: number;
  close(): Promise<void>;
}

/** The app's own limit, there and here, is not what is measured. */
export const UNLIMITED = 1_000_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const FIRST_MS = Math.ceil(Date.now() / DAY_MS) * DAY_MS + 30 * DAY_MS;
/** Rises with each question: no two are alike, so none can share another's answer. */
let asked = 0;

/** Starts both and connects `connectors` accounts; from then on every provider call takes `latencyMs`. */
export async function openBenchStage(connectors: number, latencyMs: number): Promise<BenchStage> {
  const sandbox = await startSandboxProcess(1);
  let running: PlainRuntime | undefined;
  const close = async () => {
    await running?.close();
    await sandbox.close();
  };
  try {
    // A mirror would be filled behind what is measured, by calls of its own.
    const worker = await startPlainRuntime(sandbox, {
      MIRROR: 'off',
      MICROSOFT_APP_LIMIT: String(UNLIMITED),
    });
    running = worker;
    const targets: Target[] = [];
    for (let index = 0; index < connectors; index += 1) {
      const email = `bench-${index}@contoso.example`;
      await sandbox.addPerson({ provider: 'microsoft', email, name: `Person ${index}`, timeZone: 'UTC' });
      const connectorId = await connect(worker, { email, provider: 'microsoft' });
      const { access_token: accessToken } = await connectMicrosoft(sandbox, email);
      targets.push({ email, connectorId, accessToken });
    }
    await sandbox.limit({ microsoftPerTenMinutes: UNLIMITED });
    await sandbox.latency('microsoft', latencyMs);
    return { sandbox, worker, targets, latencyMs, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** An hour that nobody has asked for yet. */
export function nextHour(): { start: string; end: string } {
  const startMs = FIRST_MS + (asked % 40_000) * 60_000;
  asked += 1;
  const [start, end] = [startMs, startMs + 60 * 60_000].map((ms) => new Date(ms).toISOString());
  return { start: start ?? '', end: end ?? '' };
}

/** Asks over HTTP what is one getSchedule call. */
export async function ask({ worker }: Pick<BenchStage, 'worker'>, target: Target): Promise<void> {
  const path = `/v1/connectors/${target.connectorId}/availability`;
  const { status, text } = await worker.api('POST', path, questionFor(target));
  if (status !== 200 || !text.includes('"ok"')) throw new Error(`availability: ${status} ${text}`);
}

/**
 * Has a sibling Worker ask so many questions about each of `targets`, `wide` at a time: how long each took,
 * milliseconds.
 */
export async function askAsSibling(
  { worker }: Pick<BenchStage, 'worker'>,
  targets: readonly Target[],
  { wide, calls }: { wide: number; calls: number },
): Promise<number[]> {
  const lanes = targets.map((target) =>
    Array.from({ length: calls }, () => [target.connectorId, questionFor(target)]),
  );
  return wallsSchema.parse(await worker.rpc('inLoops', wide, 'availability', lanes));
}

const wallsSchema = z.array(z.number());

/** A question that is one getSchedule call. */
export function questionFor({ email }: Target): object {
  const { start, end } = nextHour();
  return { timeMin: start, timeMax: end, timeZone: 'UTC', calendars: [email] };
}

const MOST_IN_BATCH = 100;
const PATIENCE_MS = 180_000;

/** Hands tasks over through the queue and waits until each is told to have ended. */
export async function carryOut(
  { worker }: { worker: Pick<PlainRuntime, 'api' | 'notices'> },
  tasks: readonly { type: string; connectorId: string; payload: object }[],
): Promise<void> {
  const from = worker.notices.length;
  const named = tasks.map((task) => ({ ...task, id: crypto.randomUUID() }));
  for (let start = 0; start < named.length; start += MOST_IN_BATCH) {
    const batch = named.slice(start, start + MOST_IN_BATCH);
    const { status, text } = await worker.api('POST', '/v1/tasks', { tasks: batch });
    if (status !== 202) throw new Error(`POST /v1/tasks: ${status} ${text}`);
  }
  const open = new Set<string>(named.map(({ id }) => id));
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  for (let read = from; open.size > 0;) {
    for (; read < worker.notices.length; read += 1) {
      const { taskId = '', type, error } = worker.notices[read] ?? {};
      if (open.delete(taskId) && type !== 'task-completed') throw new Error(`${taskId}: ${error?.message}`);
    }
    if (Date.now() > giveUpAtMs) throw new Error(`${open.size} tasks have not ended`);
    await sleep(20);
  }
}
