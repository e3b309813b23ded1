import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { errorCodeSchema } from '../../src/domain/failure.ts';
import { present } from '../present.ts';
import { BASE_URL, openHouse } from './stage.ts';

const operationSchema = z.object({
  summary: z.string().min(1),
  parameters: z.array(
    z.object({ name: z.string(), in: z.enum(['path', 'query', 'header']), required: z.boolean() }),
  ),
  requestBody: z
    .object({ content: z.object({ 'application/json': z.object({ schema: z.looseObject({}) }) }) })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string() })),
});
const documentSchema = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  servers: z.tuple([z.object({ url: z.string() })]),
  security: z.tuple([z.object({ bearer: z.tuple([]) })]),
  components: z.object({
    securitySchemes: z.object({ bearer: z.object({ type: z.literal('http'), scheme: z.literal('bearer') }) }),
    schemas: z.object({ Problem: z.looseObject({}) }),
  }),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});

async function readDocument() {
  const response = await openHouse().send('/openapi.json', { token: null });
  return documentSchema.parse(await response.json());
}

describe('the contract', () => {
  it('lists each call of /v1, and where the worker is', async () => {
    const { paths, servers } = await readDocument();
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(calls.toSorted()).toEqual([
      'delete /v1/connectors/{id}',
      'delete /v1/connectors/{id}/events/{eventId}',
      'delete /v1/connectors/{id}/holds/{holdId}',
      'delete /v1/holds/{holdId}',
      'get /v1/connectors',
      'get /v1/connectors/{id}',
      'get /v1/connectors/{id}/changes',
      'get /v1/connectors/{id}/events',
      'get /v1/connectors/{id}/tasks/{taskId}',
      'get /v1/dead-letters',
      'get /v1/holds/{holdId}',
      'patch /v1/connectors/{id}/events/{eventId}',
      'post /v1/availability',
      'post /v1/connectors',
      'post /v1/connectors/{id}/availability',
      'post /v1/connectors/{id}/events',
      'post /v1/connectors/{id}/holds',
      'post /v1/connectors/{id}/holds/{holdId}/confirm',
      'post /v1/connectors/{id}/meeting-times',
      'post /v1/dead-letters/{id}/replay',
      'post /v1/holds',
      'post /v1/holds/{holdId}/confirm',
      'post /v1/meeting-times',
      'post /v1/tasks',
    ]);
    expect(servers[0].url).toBe(BASE_URL);
  });

  it('lists only calls that are there, each with the parameters of its path', async () => {
    const { send } = openHouse();
    const { paths } = await readDocument();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { parameters }] of Object.entries(methods)) {
        const named = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
        expect(named).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
        // Without a body, query or database each of them fails, but none as an address that is not there.
        const response = await send(path.replaceAll(/[{}]/g, ''), { method: method.toUpperCase() });
        expect(await response.text()).not.toContain('nothing at this address');
      }
    }
  });

  it('describes what is sent, as it is sent', async () => {
    const { paths } = await readDocument();
    const shapeOf = (path: string) =>
      present(paths[path]?.post?.requestBody?.content['application/json'].schema);
    expect(shapeOf('/v1/connectors')).toMatchObject({
      type: 'object',
      required: ['userId', 'provider', 'redirectUri'],
      additionalProperties: false,
    });
    expect(shapeOf('/v1/connectors/{id}/availability')).toMatchObject({
      type: 'object',
      required: ['timeMin', 'timeMax', 'timeZone'],
      properties: { timeMin: { type: 'string' }, maxStalenessMs: { minimum: 0 } },
    });
    expect(shapeOf('/v1/tasks')).toMatchObject({
      properties: {
        tasks: { type: 'array', minItems: 1, maxItems: 100, items: { required: ['type', 'connectorId'] } },
      },
    });
  });

  it('describes what is asked in a query, and what is answered', async () => {
    const { paths } = await readDocument();
    const asked = present(paths['/v1/connectors/{id}/events']?.get).parameters;
    expect(asked.map(({ name, required }) => [name, required])).toEqual([
      ['id', true],
      ['timeMin', true],
      ['timeMax', true],
      ['timeZone', false],
      ['calendars', false],
      ['maxStalenessMs', false],
    ]);
    expect(paths['/v1/connectors/{id}/changes']?.get?.responses['200']).toMatchObject({
      content: {
        'application/json': {
          schema: {
            required: ['changes', 'cursor', 'hasMore', 'freshness'],
            properties: {
              changes: {
                items: {
                  oneOf: [
                    { properties: { change: { const: 'changed' }, originalStart: { type: 'string' } } },
                    { required: ['change', 'eventId', 'calendarId'] },
                  ],
                },
              },
            },
          },
        },
      },
    });
    expect(JSON.stringify(paths)).not.toContain('creationKey');
  });

  it('names every code of a problem', async () => {
    const { components } = await readDocument();
    expect(components.schemas.Problem).toMatchObject({
      properties: { code: { enum: errorCodeSchema.options } },
    });
  });
});
